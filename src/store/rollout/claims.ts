/**
 * Claims and writes sessions over the two stores of a rollout.
 *
 *  ROLLOUT-1  A session is in one of the two stores, never in both. An instance that creates one in the new store holds its
 *             claim in the old store, the guard, until after the first commit. If the guard was lost by then, another
 *             instance may have created the session in the old store: the commit is withdrawn and returns `fenced`.
 *  ROLLOUT-2  So instances may run with different shares during a rolling restart, but not with and without the new store:
 *             start all of them with a share of 0 first.
 *  ROLLOUT-3  The token of a fence names its store and its guard, so no other state is necessary.
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
  location: StoreLocation,
  isMadeInNew: (sessionId: string) => boolean,
): Claims {
  function claimedAt(place: LocatedSession, outcome: ClaimOutcome, guard: Fence | null = null): ClaimOutcome {
    if (outcome.kind === 'held') return outcome;
    const { fence, record } = outcome;
    if (record !== null) location.remember(fence.sessionId, place);
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

  /** Releases a claim that is not needed; if that fails, its lease ends it. */
  async function letGo(store: Store, fence: Fence): Promise<void> {
    await store.release(fence, false).catch(() => {});
  }

  async function claimUnlocated(sessionId: string, instance: string): Promise<ClaimOutcome> {
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

  /** Undoes a first commit in the new store, before its caller learns of it. */
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
      if (location.at(sessionId) === 'new') {
        const claim = await newer.claim(sessionId, instance);
        if (claim.kind === 'held' || claim.record !== null) return claimedAt('new', claim);
        // The session ended in between. Its successor needs the guard in the old store.
        await letGo(newer, claim.fence);
        location.forget(sessionId);
      }
      return claimUnlocated(sessionId, instance);
    },
    async commit(outer, write) {
      const { store, fence, guard } = innerOf(outer);
      const outcome = await store.commit(fence, write);
      if (guard === null || write.expectedVersion > 0 || outcome.kind !== 'committed') return outcome;
      // An expired guard still releases; `fenced` means that another instance claimed the session.
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
      if (guard !== null && location.at(fence.sessionId) !== 'new') await old.renew(guard);
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
