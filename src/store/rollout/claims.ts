/**
 * Claims and writes over the two stores of a roll-out.
 *
 *  O1  A session is in one of the two, never in both. Who makes one in the new store holds its claim in the old one,
 *      the guard, until the first commit stands, and looks then whether the guard still held: if not, somebody else may
 *      have made the session in the old store meanwhile, so what was written is withdrawn and answered `fenced`.
 *  O2  So instances may run with different shares (a restart one by one), but not with and without the new store:
 *      start all of them with a share of 0 first.
 *  O3  A fence says in its token which store it is of, and by which guard it was made: nothing else has to be known.
 */

import type { ClaimOutcome, Commit, Fence, Store } from '../contract.ts';
import type { LocatedSession, StoreLocation } from './store-location.ts';

type Claims = Pick<Store, 'claim' | 'commit' | 'append' | 'renew' | 'release'>;

interface Inner {
  readonly store: Store;
  readonly fence: Fence;
  readonly guard: Fence | null;
}

export function rolloutClaims(
  old: Store,
  newer: Store,
  seen: StoreLocation,
  isMadeInNew: (sessionId: string) => boolean,
): Claims {
  function claimedAt(place: LocatedSession, outcome: ClaimOutcome, guard: Fence | null = null): ClaimOutcome {
    if (outcome.kind === 'held') return outcome;
    const { fence, record } = outcome;
    if (record !== null) seen.remember(fence.sessionId, place);
    const by = guard === null ? [] : [guard.token, guard.epoch];
    return { ...outcome, fence: { ...fence, token: [place, ...by, fence.token].join('~') } };
  }

  function innerOf(outer: Fence): Inner {
    const [place, ...parts] = outer.token.split('~');
    const token = parts.at(-1) ?? '';
    const [guardToken, guardEpoch] = parts.length === 3 ? parts : [];
    const guard =
      guardToken === undefined ? null : { ...outer, token: guardToken, epoch: Number(guardEpoch) };
    return { store: place === 'new' ? newer : old, fence: { ...outer, token }, guard };
  }

  /** A claim that is not needed lapses by itself where it cannot be given up. */
  async function letGo(store: Store, fence: Fence): Promise<void> {
    await store.release(fence, false).catch(() => {});
  }

  async function claimUnseen(sessionId: string, instance: string): Promise<ClaimOutcome> {
    const guard = await old.claim(sessionId, instance);
    if (guard.kind === 'held' || guard.record !== null) return claimedAt('old', guard);
    try {
      const madeInNew = isMadeInNew(sessionId);
      if (!madeInNew && (await newer.read(sessionId)) === null) return claimedAt('old', guard);
      const claim = await newer.claim(sessionId, instance);
      const isNowhere = claim.kind === 'claimed' && claim.record === null;
      if (isNowhere && madeInNew) return claimedAt('new', claim, guard.fence);
      if (isNowhere) {
        await letGo(newer, claim.fence);
        return claimedAt('old', guard);
      }
      await letGo(old, guard.fence);
      return claimedAt('new', claim);
    } catch (error) {
      await letGo(old, guard.fence);
      throw error;
    }
  }

  /** Undoes a first commit in the new store: nobody was told of it. */
  async function withdraw(fence: Fence, write: Commit): Promise<void> {
    await newer.commit(fence, {
      ...write,
      writeId: `${write.writeId}.withdrawn`,
      expectedVersion: write.expectedVersion + 1,
      expectedHead: write.expectedHead + write.frames.length,
      frames: [],
      transcript: [],
      messageIds: [],
      inboxTaken: 0,
      notify: false,
      end: true,
    });
  }

  return {
    async claim(sessionId, instance) {
      if (seen.at(sessionId) === 'new') {
        const claim = await newer.claim(sessionId, instance);
        if (claim.kind === 'held' || claim.record !== null) return claimedAt('new', claim);
        // It ended meanwhile, and nobody may make it anew without the claim in the old store.
        await letGo(newer, claim.fence);
        seen.forget(sessionId);
      }
      return claimUnseen(sessionId, instance);
    },
    async commit(outer, write) {
      const { store, fence, guard } = innerOf(outer);
      const outcome = await store.commit(fence, write);
      if (guard === null || write.expectedVersion > 0 || outcome.kind !== 'committed') return outcome;
      // What is `fenced` here was claimed by somebody else; a guard that merely ran out is still given up.
      const { kind } = await old.release(guard, false);
      if (kind === 'released') return outcome;
      if (!write.end) await withdraw(fence, write);
      return { kind: 'fenced' };
    },
    append(outer, write) {
      const { store, fence } = innerOf(outer);
      return store.append(fence, write);
    },
    async renew(outer) {
      const { store, fence, guard } = innerOf(outer);
      if (guard !== null && seen.at(fence.sessionId) !== 'new') await old.renew(guard);
      return store.renew(fence);
    },
    async release(outer, notify) {
      const { store, fence, guard } = innerOf(outer);
      const outcome = await store.release(fence, notify);
      if (guard !== null && outcome.kind !== 'pending') await letGo(old, guard);
      return outcome;
    },
  };
}
