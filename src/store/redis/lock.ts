/**
 * The session's lock, by redlock. It keeps instances from working on a session at the same time; it does not keep
 * a late write out: that is the fence's part, inside the scripts (docs/adr/0003).
 *
 * Only `acquire` is redlock's. Extending and giving up belong to the commit and release scripts, because they must
 * happen together with the write. retryCount is 0: who finds a session held is told by whom and decides itself, and
 * the lock that redlock returns after waiting has a wrong expiry (its issues 168, 169 and 299).
 *
 * Known and accepted: when the reply to an acquire is lost, nobody knows the lock's value. redlock tries to take
 * it back; if that fails too the session is held by nobody until the lease is over.
 */
import Redlock, { ExecutionError, ResourceLockedError } from 'redlock';
import type { Batch } from './batch.ts';
import { storeFailure } from './failure.ts';

export interface Locks {
  /** The lock's value, or null where another holds it; rejects where nothing is known. */
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
    // A full Redis must still let a sweeper take the lock of a session that it will delete.
    { acquireScript: (script) => `#!lua flags=allow-oom\n${script}` },
  );

  return {
    async acquire(key) {
      try {
        return (await redlock.acquire([key], leaseMs)).value;
      } catch (error) {
        if (!(error instanceof ExecutionError)) throw storeFailure(error);
        const refusal = await refusalOf(error);
        if (refusal instanceof ResourceLockedError) return null;
        throw storeFailure(refusal ?? error);
      }
    },
  };
}

/** redlock knows a missing script by the words of the driver's error, which the batch has wrapped. */
function asDriverError(error: unknown): never {
  throw error instanceof Error && error.cause instanceof Error ? error.cause : error;
}

async function refusalOf(error: ExecutionError): Promise<Error | undefined> {
  for (const attempt of error.attempts) {
    for (const refusal of (await attempt).votesAgainst.values()) return refusal;
  }
  return undefined;
}
