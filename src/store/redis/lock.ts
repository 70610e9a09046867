/**
 * Claims sessions with redlock. The lock keeps instances from working on one session at the same time; the fence inside
 * the scripts keeps late writes out (docs/adr/0003).
 *
 * redlock's acquire script runs inside `claim.lua`, so lock and session change in one round trip. Commit and release
 * extend and drop the lock in their scripts, together with the write. retryCount is 0: the caller learns the holder and
 * decides, and a lock that redlock returns after a wait has a wrong expiry (its issues 168, 169 and 299).
 *
 * Known and accepted: if the reply to a claim is lost, redlock tries to unlock again. If that fails too, the session
 * stays locked until the lease ends, by an owner that will not write.
 */
import Redlock, { type RedlockClient } from 'redlock';
import type { Argument, Batch } from './batch.ts';
import { redisFailure } from './failure.ts';
import type { SessionKeys } from './keys.ts';
import { integer, list } from './replies.ts';
import { scripts } from './scripts.ts';

/** What `claim.lua` returned after its first element, and the lock's value; null if another claim holds the lock. */
export interface ClaimReply {
  readonly token: string | null;
  readonly rest: readonly unknown[];
}

export interface Locks {
  /** Rejects if the outcome is unknown. */
  claim(keys: SessionKeys, args: readonly Argument[]): Promise<ClaimReply>;
}

/** redlock hands its resources to the client unread: the one that it locks is the claim, which collects its answer. */
export interface LockedClaim {
  readonly keys: SessionKeys;
  readonly args: readonly Argument[];
  reply: readonly unknown[] | null;
  failure: unknown;
}

const ACQUIRE = '-- @redlock acquire';

export function createLocks(batch: Batch, leaseMs: number): Locks {
  async function run(command: 'evalsha' | 'eval', script: string, args: RedlockArguments): Promise<number> {
    const [claim, token, durationMs] = args;
    const { lock, session, inbox } = claim.keys;
    if (durationMs === undefined) {
      // redlock unlocks whatever failed. A claim that another one preceded has taken no lock.
      if (claim.reply !== null) return 0;
      // With its text: after a lost reply, an answer that Redis lacks the script would be lost as well.
      return integer(await batch.send('eval', [unlockScript, 1, lock, token]));
    }
    try {
      const places = [script, 3, lock, session, inbox];
      const [taken, ...rest] = list(await batch.send(command, [...places, token, durationMs, ...claim.args]));
      claim.reply = rest;
      return integer(taken);
    } catch (error) {
      claim.failure = error;
      return asDriverError(error);
    }
  }
  const client: RedlockClient<LockedClaim> = {
    evalsha: (sha, _count, args) => run('evalsha', sha, args),
    eval: (text, _count, args) => run('eval', text, args),
  };
  let unlockScript = '';
  const redlock = new Redlock(
    [client],
    { retryCount: 0 },
    {
      acquireScript: (acquire) => scripts.claim.text.replace(ACQUIRE, () => acquire),
      releaseScript(release) {
        unlockScript = release;
        return release;
      },
    },
  );

  return {
    async claim(keys, args) {
      const claim: LockedClaim = { keys, args, reply: null, failure: null };
      let token: string | null = null;
      try {
        token = (await redlock.acquire([claim], leaseMs)).value;
      } catch (error) {
        if (claim.reply === null) throw redisFailure(claim.failure ?? error);
      }
      return { token, rest: claim.reply ?? [] };
    },
  };
}

type RedlockArguments = Parameters<RedlockClient<LockedClaim>['eval']>[2];

/** redlock recognises a missing script by the driver's message, which the batch has wrapped. */
function asDriverError(error: unknown): never {
  throw error instanceof Error && error.cause instanceof Error ? error.cause : error;
}
