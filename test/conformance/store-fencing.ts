/** STORE-1 to STORE-3: one writer, all or nothing, each write once. */
import { describe, expect, it } from 'vitest';
import {
  appendOf,
  claimed,
  commitOf,
  created,
  expectCommitted,
  frames,
  freshId,
  OPTIONS,
  type StoreFixture,
} from './store-fixture.ts';

export function describeFencing(fixture: () => StoreFixture): void {
  describe('one writer', () => {
    it('a store gives a claim to one instance and tells another which instance holds it and for how long', async () => {
      const [a, b] = fixture().stores;
      const { sessionId } = await created(a, 'a');
      const other = await b.claim(sessionId, 'b');
      expect(other).toMatchObject({ kind: 'held', instance: 'a' });
      if (other.kind !== 'held') return;
      expect(other.leaseLeftMs).toBeGreaterThan(0);
      expect(other.leaseLeftMs).toBeLessThanOrEqual(OPTIONS.leaseMs);
    });

    it('a store grants one of many simultaneous claims', async () => {
      const sessionId = freshId();
      const { stores } = fixture();
      const outcomes = await Promise.all(
        Array.from({ length: 12 }, (_, n) => stores[n % 3]!.claim(sessionId, `instance-${n}`)),
      );
      expect(outcomes.filter(({ kind }) => kind === 'claimed')).toHaveLength(1);
    });

    it('every claim raises the epoch and returns the stored session', async () => {
      const [a, b] = fixture().stores;
      const first = await created(a, 'a', {
        snapshot: '{"value":"töken \\n 🙂"}',
        frames: frames(0, 3),
        dueAt: 1_900_000_000_123,
      });
      await a.release(first.fence, false);
      const second = await claimed(b, first.sessionId, 'b');
      expect(second.fence.epoch).toBeGreaterThan(first.fence.epoch);
      const record = {
        version: 1,
        epoch: second.fence.epoch,
        head: 3,
        snapshot: '{"value":"töken \\n 🙂"}',
        instance: 'b',
        dueAt: 1_900_000_000_123,
        inboxLength: 0,
      };
      expect(second.record).toEqual(record);
      expect(await a.read(first.sessionId)).toEqual(record);
    });

    it('a claimed session without a commit is invisible, and its release removes it', async () => {
      const { stores, traces } = fixture();
      const sessionId = freshId();
      const { fence, record } = await claimed(stores[0], sessionId, 'a');
      expect(record).toBeNull();
      expect(await stores[1].read(sessionId)).toBeNull();
      expect(await stores[1].readLog(sessionId, 0, 10)).toBeNull();
      expect(await stores[1].push(sessionId, 'x')).toEqual({ kind: 'absent' });
      expect(await stores[0].append(fence, appendOf({ frames: frames(0, 1) }))).toEqual({ kind: 'conflict' });
      for (const staysMs of (await traces(sessionId)).values()) {
        expect(staysMs).toBeLessThanOrEqual(4 * OPTIONS.leaseMs);
      }
      expect(await stores[0].release(fence, false)).toEqual({ kind: 'released' });
      expect([...(await traces(sessionId)).keys()]).toEqual([]);
    });

    it('an owner with an expired lease still writes until another instance claims the session', async () => {
      const { stores, elapse } = fixture();
      const { sessionId, fence } = await created(stores[0], 'a');
      await elapse(OPTIONS.leaseMs + 50);
      expectCommitted(await stores[0].commit(fence, commitOf({ expectedVersion: 1, frames: frames(0, 1) })));
      expect(await stores[1].claim(sessionId, 'b')).toMatchObject({ kind: 'held', instance: 'a' });
      await elapse(OPTIONS.leaseMs + 50);
      expectCommitted(await stores[0].append(fence, appendOf({ expectedHead: 1, frames: frames(1, 1) })));
      await elapse(OPTIONS.leaseMs + 50);
      expect(await stores[0].renew(fence)).toEqual({ kind: 'renewed', inboxLength: 0 });
      expect(await stores[1].claim(sessionId, 'b')).toMatchObject({ kind: 'held', instance: 'a' });
    });

    it('a store accepts the first commit of a claim whose lease expired', async () => {
      const { stores, elapse } = fixture();
      const { fence } = await claimed(stores[0], freshId(), 'a');
      await elapse(OPTIONS.leaseMs + 50);
      expectCommitted(await stores[0].commit(fence, commitOf()));
    });

    it('a store fences commit, append, renew and release of an owner whose session another instance claimed', async () => {
      const { stores, elapse } = fixture();
      const [a, b] = stores;
      const { sessionId, fence } = await created(a, 'a');
      await elapse(OPTIONS.leaseMs + 50);
      const taken = await claimed(b, sessionId, 'b');
      const before = await b.read(sessionId);
      const late = commitOf({ expectedVersion: 1, frames: frames(0, 1), messageIds: ['m'], dueAt: 5 });
      expect(await a.commit(fence, late)).toEqual({ kind: 'fenced' });
      expect(await a.commit(fence, { ...late, end: true })).toEqual({ kind: 'fenced' });
      expect(await a.append(fence, appendOf({ frames: frames(0, 1) }))).toEqual({ kind: 'fenced' });
      expect(await a.renew(fence)).toEqual({ kind: 'fenced' });
      expect(await a.release(fence, false)).toEqual({ kind: 'fenced' });
      expect(await b.read(sessionId)).toEqual(before);
      expect((await b.readLog(sessionId, 0, 10))?.frames).toEqual([]);
      expectCommitted(await b.commit(taken.fence, late));
      // The new owner's lease runs out too: that does not bring the old one back.
      await elapse(OPTIONS.leaseMs + 50);
      expect(await a.commit(fence, commitOf({ expectedVersion: 2, expectedHead: 1 }))).toEqual({
        kind: 'fenced',
      });
    });

    it('a store fences a write with the right token but another epoch, and the reverse', async () => {
      const [a] = fixture().stores;
      const { sessionId, fence } = await created(a, 'a');
      for (const wrong of [
        { epoch: fence.epoch + 1 },
        { epoch: fence.epoch - 1 },
        { token: `${fence.token}x` },
      ]) {
        const forged = { ...fence, ...wrong };
        expect(await a.commit(forged, commitOf({ expectedVersion: 1 }))).toEqual({ kind: 'fenced' });
        expect(await a.append(forged, appendOf())).toEqual({ kind: 'fenced' });
        expect(await a.renew(forged)).toEqual({ kind: 'fenced' });
        expect(await a.release(forged, false)).toEqual({ kind: 'fenced' });
      }
      expect(await a.read(sessionId)).toMatchObject({ version: 1 });
    });

    it('a new epoch is never below the store’s clock, so no epoch of a lost timeline repeats', async () => {
      const { stores, now, elapse } = fixture();
      const [a, b] = stores;
      const before = now();
      const { sessionId, fence } = await created(a, 'a');
      expect(fence.epoch).toBeGreaterThanOrEqual(before);
      expect(fence.epoch).toBeLessThanOrEqual(now());
      await a.release(fence, false);
      const claimedFast: number[] = [];
      for (let n = 0; n < 5; n += 1) {
        const next = await claimed(b, sessionId, 'b');
        claimedFast.push(next.fence.epoch);
        await b.release(next.fence, false);
      }
      expect(new Set(claimedFast).size).toBe(5);
      expect(claimedFast).toEqual(claimedFast.toSorted((left, right) => left - right));
      await elapse(50);
      expect((await claimed(a, sessionId, 'a')).fence.epoch).toBeGreaterThanOrEqual(before + 50);
    });

    it('the token fences the owner of an ended session, whose successor may have the same epoch', async () => {
      const { stores, elapse } = fixture();
      const [a, b] = stores;
      const sessionId = freshId();
      const old = await claimed(a, sessionId, 'a');
      expectCommitted(await a.commit(old.fence, commitOf({ end: true })));
      const renewed = await claimed(b, sessionId, 'b');
      expect(renewed.fence.token).not.toBe(old.fence.token);
      await elapse(OPTIONS.leaseMs + 50);
      expect(await a.commit(old.fence, commitOf())).toEqual({ kind: 'fenced' });
      expectCommitted(await b.commit(renewed.fence, commitOf()));
    });

    it('a store fences a released claim, and a repeated release succeeds', async () => {
      const { stores } = fixture();
      const { sessionId, fence } = await created(stores[0], 'a');
      expect(await stores[0].release(fence, false)).toEqual({ kind: 'released' });
      expect(await stores[0].release(fence, false)).toEqual({ kind: 'released' });
      expect(await stores[0].commit(fence, commitOf({ expectedVersion: 1 }))).toEqual({ kind: 'fenced' });
      expect(await stores[0].renew(fence)).toEqual({ kind: 'fenced' });
      expect(await stores[1].claim(sessionId, 'b')).toMatchObject({ kind: 'claimed' });
    });
  });

  describe('all or nothing, once', () => {
    it('a repeated commit or append gets the first outcome and applies once', async () => {
      const [a] = fixture().stores;
      const { sessionId, fence } = await created(a, 'a');
      const commit = commitOf({ expectedVersion: 1, frames: frames(0, 2), messageIds: ['m1'] });
      const append = appendOf({ expectedHead: 2, frames: frames(2, 2) });
      for (let time = 0; time < 3; time += 1) {
        expect(await a.commit(fence, commit)).toEqual({ kind: 'committed', inboxLength: 0 });
      }
      for (let time = 0; time < 3; time += 1) {
        expect(await a.append(fence, append)).toEqual({ kind: 'committed', inboxLength: 0 });
      }
      expect(await a.read(sessionId)).toMatchObject({ version: 2, head: 4 });
      expect((await a.readLog(sessionId, 0, 10))?.frames).toEqual(frames(0, 4));
    });

    it('a write with another version or another head is a conflict and changes nothing', async () => {
      const [a] = fixture().stores;
      const { sessionId, fence } = await created(a, 'a', { frames: frames(0, 1) });
      const before = await a.read(sessionId);
      const wrong = [
        commitOf({ expectedVersion: 0, expectedHead: 1 }),
        commitOf({ expectedVersion: 2, expectedHead: 1 }),
        commitOf({ expectedVersion: 1, expectedHead: 0, frames: frames(0, 1) }),
        commitOf({ expectedVersion: 1, expectedHead: 2 }),
        commitOf({ expectedVersion: 2, expectedHead: 1, end: true }),
      ];
      for (const commit of wrong) expect(await a.commit(fence, commit)).toEqual({ kind: 'conflict' });
      expect(await a.append(fence, appendOf({ expectedHead: 0, frames: frames(0, 1) }))).toEqual({
        kind: 'conflict',
      });
      expect(await a.read(sessionId)).toEqual(before);
    });

    it('a store refuses frames with a gap before it sends anything', async () => {
      const [a] = fixture().stores;
      const { sessionId, fence } = await created(a, 'a');
      await expect(a.commit(fence, commitOf({ expectedVersion: 1, frames: frames(1, 1) }))).rejects.toThrow(
        /does not continue/,
      );
      await expect(a.append(fence, appendOf({ frames: frames(3, 1) }))).rejects.toThrow(/does not continue/);
      expect(await a.read(sessionId)).toMatchObject({ version: 1, head: 0 });
    });

    it('a repeated ending whose first reply was lost gets the first outcome', async () => {
      const [a] = fixture().stores;
      const { fence } = await created(a, 'a');
      const ending = commitOf({ expectedVersion: 1, end: true });
      expect(await a.commit(fence, ending)).toEqual({ kind: 'committed', inboxLength: 0 });
      expect(await a.commit(fence, ending)).toEqual({ kind: 'committed', inboxLength: 0 });
      expect(await a.commit(fence, commitOf({ expectedVersion: 1 }))).toEqual({ kind: 'fenced' });
    });
  });
}
