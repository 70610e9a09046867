/**
 * Acquires the session's lock with redlock. The lock keeps instances from working on one session at the same time; the
 * fence inside the scripts keeps late writes out (docs/adr/0003).
 *
 * Commit and release extend and drop the lock in their scripts, together with the write. retryCount is 0: the caller
 * learns the holder and decides, and a lock that redlock returns after a wait has a wrong expiry (its issues 168, 169
 * and 299).
 *
 * Known and accepted: if the reply to an acquire is lost, redlock tries to unlock again. If that fails too, the session
 * stays locked without an owner until the lease ends.
 */
import Redlock, { ExecutionError, ResourceLockedError } from 'redlock';
import type { Batch } from './batch.ts';
import { redisFailure } from './failure.ts';

export interface Locks {
  /** The lock's value, or null if another claim holds it; rejects if the outcome is unknown. */
  acquire(key: string): Promise<string | null>;
}

export function createLocks(batch: Batch, leaseMs: number): Locks {
  const client = {
    evalsha: (sha: string, numberOfKeys: number, args: readonly (string | number)[]) =>
      batch.send('evalsha', [sha, numberOfKeys, ...args]).catch(asDriverError),
    eval: (text: string, numberOfKeys: number, args: readonly (string | number)[]) =>
      batch.send('eval', [text, numberOfKeys, ...args]).catch(asDriverError),
  };
  const redlock = new Redlock(
    [client],
    { retryCount: 0 },
    // On a full Redis a sweeper must still lock the session that it will delete.
    { acquireScript: (script) => `#!lua flags=allow-oom\n${script}` },
  );

  return {
    async acquire(key) {
      try {
        return (await redlock.acquire([key], leaseMs)).value;
      } catch (error) {
        if (!(error instanceof ExecutionError)) throw redisFailure(error);
        const refusal = await refusalOf(error);
        if (refusal instanceof ResourceLockedError) return null;
        throw redisFailure(refusal ?? error);
      }
    },
  };
}

/** redlock recognises a missing script by the driver's message, which the batch has wrapped. */
function asDriverError(error: unknown): never {
  throw error instanceof Error && error.cause instanceof Error ? error.cause : error;
}

async function refusalOf(error: ExecutionError): Promise<Error | undefined> {
  for (const attempt of error.attempts) {
    for (const refusal of (await attempt).votesAgainst.values()) return refusal;
  }
  return undefined;
}
