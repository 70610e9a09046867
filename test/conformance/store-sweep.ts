/** The deadline index: one sweeper finds each due session without an owner. */
import { describe, expect, it } from 'vitest';
import { BUCKETS, bucketOf, type Store } from '../../src/store/contract.ts';
import {
  claimed,
  commitOf,
  created,
  expectCommitted,
  freshId,
  OPTIONS,
  ownerless,
  type StoreFixture,
} from './store-fixture.ts';

const VISIBILITY_MS = 900;

const MADE_AT_ONCE = 50;

export function describeSweep(fixture: () => StoreFixture): void {
  const sees = async (store: Store, sessionId: string, now = fixture().now()) =>
    (await store.sweep(bucketOf(sessionId), now, 1_000, VISIBILITY_MS)).due.includes(sessionId);

  describe('sweep', () => {
    it('one sweeper gets a due session without an owner, and another gets it if the first does nothing', async () => {
      const { stores, now, elapse } = fixture();
      const [a, b, c] = stores;
      const sessionId = await ownerless(a, { dueAt: now() + 100 });
      expect(await sees(b, sessionId)).toBe(false);
      await elapse(120);
      const seen = await Promise.all([sees(a, sessionId), sees(b, sessionId), sees(c, sessionId)]);
      expect(seen.filter(Boolean)).toHaveLength(1);
      expect(await sees(c, sessionId)).toBe(false);
      await elapse(VISIBILITY_MS + 20);
      expect(await sees(c, sessionId)).toBe(true);
    });

    it('a sweep skips a claimed session and returns it after its owner died', async () => {
      const { stores, now, elapse } = fixture();
      const [a, b] = stores;
      const { sessionId, fence } = await created(a, 'a', { dueAt: now() - 1_000 });
      expect(await sees(b, sessionId)).toBe(false);
      await elapse(OPTIONS.leaseMs / 2);
      await a.renew(fence);
      await elapse(OPTIONS.leaseMs / 2 + 50);
      expect(await sees(b, sessionId)).toBe(false);
      await elapse(OPTIONS.leaseMs + 50);
      expect(await sees(b, sessionId)).toBe(true);
    });

    it('a sweep follows a deadline that moves earlier, later, earlier again, and away', async () => {
      const { stores, now } = fixture();
      const [a, b] = stores;
      const start = now();
      const { sessionId, fence: first } = await created(a, 'a', { dueAt: start + 10_000 });
      let fence = first;
      let version = 1;
      const move = async (dueAt: number | null) => {
        expectCommitted(await a.commit(fence, commitOf({ expectedVersion: version, dueAt })));
        version += 1;
        expect(await a.release(fence, false)).toEqual({ kind: 'released' });
      };
      const again = async () => {
        ({ fence } = await claimed(a, sessionId, 'a'));
      };
      await move(start + 50_000);
      // An early sweep moves the index; a deadline that then moves closer must not get lost.
      expect(await sees(b, sessionId, start + 10_001)).toBe(false);
      await again();
      await move(start + 30_000);
      expect(await sees(b, sessionId, start + 29_999)).toBe(false);
      expect(await sees(b, sessionId, start + 30_000)).toBe(true);
      await again();
      await move(start + 5_000);
      expect(await sees(b, sessionId, start + 4_999)).toBe(false);
      expect(await sees(b, sessionId, start + 5_000)).toBe(true);
      await again();
      await move(null);
      expect(await sees(b, sessionId, start + 90_000)).toBe(false);
      await again();
      await move(start + 7_000);
      expect(await sees(b, sessionId, start + 7_000)).toBe(true);
    });

    it('a sweep finds a session with input in its inbox, immediately or after the lease of its dead owner', async () => {
      const { stores, elapse } = fixture();
      const [a, b] = stores;
      const alone = await ownerless(a);
      expect(await sees(b, alone)).toBe(false);
      await b.push(alone, 'x');
      expect(await sees(b, alone)).toBe(true);

      const { sessionId } = await created(a, 'a');
      await b.push(sessionId, 'x');
      expect(await sees(b, sessionId)).toBe(false);
      await elapse(OPTIONS.leaseMs + 50);
      expect(await sees(b, sessionId)).toBe(true);
    });

    it('a sweep finds a session whose owner died after it took part of the inbox', async () => {
      const { stores, elapse } = fixture();
      const [a, b] = stores;
      const { sessionId, fence } = await created(a, 'a');
      await b.push(sessionId, 'x');
      await b.push(sessionId, 'y');
      expectCommitted(await a.commit(fence, commitOf({ expectedVersion: 1, inboxTaken: 1, dueAt: null })));
      expect(await sees(b, sessionId)).toBe(false);
      await elapse(OPTIONS.leaseMs + 50);
      expect(await sees(b, sessionId)).toBe(true);
    });

    it('new input does not give a session to a second sweeper while the first one has it', async () => {
      const { stores, elapse } = fixture();
      const [a, b, c] = stores;
      const sessionId = await ownerless(a);
      await a.push(sessionId, 'x');
      expect(await sees(b, sessionId)).toBe(true);
      await a.push(sessionId, 'y');
      expect(await sees(c, sessionId)).toBe(false);
      await elapse(VISIBILITY_MS + 20);
      expect(await sees(c, sessionId)).toBe(true);
    });

    it('a sweep returns the longest overdue sessions first, up to its limit', async () => {
      const { stores, now } = fixture();
      const [a] = stores;
      const bucket = bucketOf(await ownerless(a));
      const start = now();
      // Takes the sessions of other tests in this bucket out of the way for a minute.
      await a.sweep(bucket, start, 1_000, 60_000);
      const ids: string[] = [];
      while (ids.length < 4) {
        const sessionId = freshId();
        if (bucketOf(sessionId) !== bucket) continue;
        const { fence } = await claimed(a, sessionId, 'a');
        await a.commit(fence, commitOf({ dueAt: 1_000 + ids.length }));
        await a.release(fence, false);
        ids.push(sessionId);
      }
      const first = await a.sweep(bucket, start, 3, 60_000);
      expect(first.due).toHaveLength(3);
      // More is already due.
      expect(first.nextAt).toBeLessThanOrEqual(1_003);
      const shown = [...first.due, ...(await a.sweep(bucket, start, 1, 60_000)).due];
      if (fixture().sweepsInOrder === false) expect(shown.toSorted()).toEqual(ids.toSorted());
      else expect(shown).toEqual(ids);
    });

    it('a sweep names the time of the next one, however deadlines move', async () => {
      const { stores, now, elapse } = fixture();
      const [a, b] = stores;
      // A bucket without sessions of other tests.
      let sessionId = freshId();
      while ((await a.sweep(bucketOf(sessionId), 0, 1, 1)).nextAt !== null) sessionId = freshId();
      const bucket = bucketOf(sessionId);
      const nextAt = async (at = now()) => (await b.sweep(bucket, at, 10, VISIBILITY_MS)).nextAt;
      const start = now();
      const first = await claimed(a, sessionId, 'a');
      expect(await nextAt()).toBeNull();
      await a.commit(first.fence, commitOf({ dueAt: start + 5_000 }));
      expect(await nextAt()).toBe(start + 5_000);
      await a.commit(first.fence, commitOf({ expectedVersion: 1, dueAt: start + 2_000 }));
      expect(await nextAt()).toBe(start + 2_000);
      // The session has an owner: look again after the lease.
      await a.commit(first.fence, commitOf({ expectedVersion: 2, dueAt: start }));
      const afterLease = await nextAt();
      expect(afterLease).toBeGreaterThan(start);
      expect(afterLease).toBeLessThanOrEqual(now() + OPTIONS.leaseMs);
      await elapse(OPTIONS.leaseMs + 50);
      const at = now();
      expect(await b.sweep(bucket, at, 10, VISIBILITY_MS)).toEqual({
        lost: [],
        due: [sessionId],
        nextAt: at + VISIBILITY_MS,
      });
      const last = await claimed(a, sessionId, 'a');
      await a.commit(last.fence, commitOf({ expectedVersion: 3, end: true }));
      expect(await nextAt()).toBeNull();
    });

    it('exactly one of three sweepers gets each of 2,000 due sessions', async () => {
      const { stores, now } = fixture();
      const [a] = stores;
      const prefix = freshId('due');
      const due = Array.from({ length: 2_000 }, (_, n) => `${prefix}-${n}`);
      const made: string[] = [];
      const make = async (sessionId: string) => {
        const { fence } = await claimed(a, sessionId, 'a');
        await a.commit(fence, commitOf({ dueAt: now() - 1 }));
        await a.release(fence, false);
      };
      // All simultaneously, the lease of a claim could expire before its commit.
      while (due.length > made.length) {
        const next = due.slice(made.length, made.length + MADE_AT_ONCE);
        await Promise.all(next.map(make));
        made.push(...next);
      }
      const at = now();
      const sweepAll = async (store: Store) => {
        const shown: string[] = [];
        for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
          for (;;) {
            const { due: page } = await store.sweep(bucket, at, 5, 60_000);
            if (page.length === 0) break;
            shown.push(...page.filter((sessionId) => sessionId.startsWith(prefix)));
          }
        }
        return shown;
      };
      const shown = (await Promise.all(stores.map(sweepAll))).flat();
      expect(shown).toHaveLength(due.length);
      expect(new Set(shown)).toEqual(new Set(due));
    });
  });
}
