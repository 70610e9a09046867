/** Export and import of whole sessions. */

import { describe, expect, it } from 'vitest';
import { bucketOf, type SessionDump } from '../../src/store/contract.ts';
import { storedFrame } from '../../src/store/log.ts';
import {
  appendOf,
  claimed,
  commitOf,
  created,
  expectCommitted,
  frames,
  freshId,
  OPTIONS,
  ownerless,
  type StoreFixture,
} from './store-fixture.ts';

const full = {
  snapshot: '{"value":"idle ä 🙂"}',
  frames: [storedFrame(1, '{"t":"\\u0000 漢字"}', '[[1],"x"]'), ...frames(1, 2)],
  messageIds: ['m2', 'm1'],
  history: '["began ä"]',
  transcript: [
    { role: 'user', content: 'hi\n', turnId: 't1', at: 1 },
    { role: 'assistant', content: 'ho', turnId: 't1', at: 2 },
    { forget: 't0' },
  ],
  dueAt: 1_900_000_000_000,
  index: { state: 'idle', userId: 'bob {x} é', createdAt: 1_700_000_000_321 },
} as const;

async function dumpOf(store: StoreFixture['stores'][number], sessionId: string): Promise<SessionDump> {
  const dump = await store.export(sessionId);
  if (dump === null) throw new Error('there is no such session');
  return dump;
}

export function describeMoving(fixture: () => StoreFixture): void {
  describe('export and import', () => {
    it('an imported session equals its dump byte for byte, and its next owner goes on from there', async () => {
      const { stores, traces } = fixture();
      const [a, b] = stores;
      const sessionId = await ownerless(a, full);
      await b.push(sessionId, 'waiting');
      const dump = await dumpOf(b, sessionId);
      expect(dump).toMatchObject({
        sessionId,
        record: { version: 1, head: 3, snapshot: full.snapshot, dueAt: full.dueAt, inboxLength: 1 },
        index: full.index,
        frames: full.frames,
        transcript: full.transcript,
        inbox: ['waiting'],
        history: [full.history],
        messageIds: ['m1', 'm2'],
        held: false,
      });
      const copy = { ...dump, sessionId: freshId() };
      expect(await b.import(copy, 'absent-only')).toEqual({ kind: 'imported' });
      expect(await a.export(copy.sessionId)).toEqual(copy);
      expect(await a.read(copy.sessionId)).toEqual(dump.record);
      expect((await a.readLog(copy.sessionId, 0, 10))?.frames).toEqual(full.frames);
      expect((await a.list({ userId: full.index.userId, limit: 500 })).sessionIds).toContain(copy.sessionId);
      for (const staysMs of (await traces(copy.sessionId)).values()) {
        if (staysMs !== null) expect(staysMs).toBe(Number.POSITIVE_INFINITY);
      }

      const next = await claimed(b, copy.sessionId, 'b');
      expect(next.fence.epoch).toBeGreaterThan(dump.record.epoch);
      const write = commitOf({ expectedVersion: 1, expectedHead: 3, frames: frames(3, 1), inboxTaken: 1 });
      expect(await b.commit(next.fence, { ...write, messageIds: ['m1'] })).toMatchObject({
        kind: 'duplicate',
      });
      expectCommitted(await b.commit(next.fence, write));
      const ending = commitOf({ expectedVersion: 2, expectedHead: 4, end: true });
      expectCommitted(await b.commit(next.fence, ending));
      expect([...(await traces(copy.sessionId)).keys()]).toEqual([]);
    });

    it('an export of an absent session is null, and an import refuses an existing or claimed one', async () => {
      const { stores, elapse } = fixture();
      const [a, b] = stores;
      expect(await a.export(freshId())).toBeNull();
      const { sessionId, fence } = await created(a, 'a', full);
      const dump = await dumpOf(b, sessionId);
      expect(dump.held).toBe(true);
      expect(await b.import(dump, 'absent-only')).toEqual({ kind: 'exists' });
      expect(await b.import(dump, 'replace')).toEqual({ kind: 'held' });
      expectCommitted(await a.commit(fence, commitOf({ expectedVersion: 1, expectedHead: 3 })));
      await elapse(OPTIONS.leaseMs + 50);

      const other = await claimed(a, freshId(), 'a');
      expect(await b.import({ ...dump, sessionId: other.fence.sessionId }, 'absent-only')).toEqual({
        kind: 'held',
      });
      await a.release(other.fence, false);
    });

    it('an import replaces a whole session and fences its former owner', async () => {
      const { stores, elapse } = fixture();
      const [a, b] = stores;
      const { sessionId, fence } = await created(a, 'a', { ...full, dueAt: 5 });
      await b.push(sessionId, 'gone');
      await elapse(OPTIONS.leaseMs + 50);
      const older: SessionDump = {
        ...(await dumpOf(b, await ownerless(a, { frames: frames(0, 1) }))),
        sessionId,
      };
      expect(await b.import(older, 'replace')).toEqual({ kind: 'imported' });
      expect(await a.export(sessionId)).toEqual(older);
      expect(await a.commit(fence, commitOf({ expectedVersion: 1, expectedHead: 1 }))).toEqual({
        kind: 'fenced',
      });
      expect(await a.renew(fence)).toEqual({ kind: 'fenced' });
      expect((await a.sweep(bucketOf(sessionId), 10, 1_000, 1)).due).not.toContain(sessionId);
      expect((await a.list({ userId: full.index.userId, limit: 500 })).sessionIds).not.toContain(sessionId);
    });

    it('a sweep finds an imported session at its deadline, or immediately if its inbox has entries', async () => {
      const { stores, now } = fixture();
      const [a, b] = stores;
      const dump = await dumpOf(a, await ownerless(a, { dueAt: now() + 50_000 }));
      const sees = async (sessionId: string, at: number) =>
        (await b.sweep(bucketOf(sessionId), at, 1_000, 100)).due.includes(sessionId);
      const asleep = { ...dump, sessionId: freshId() };
      await a.import(asleep, 'absent-only');
      expect(await sees(asleep.sessionId, now())).toBe(false);
      expect(await sees(asleep.sessionId, now() + 50_000)).toBe(true);
      const waiting = { ...dump, sessionId: freshId(), inbox: ['x'] };
      await a.import(waiting, 'absent-only');
      expect(await sees(waiting.sessionId, now() + 1)).toBe(true);
    });

    it('an import of a long log stores every frame and leaves no staged parts', async () => {
      const { stores, traces } = fixture();
      const [a, b] = stores;
      const small = await dumpOf(a, await ownerless(a));
      const long: SessionDump = {
        ...small,
        sessionId: freshId(),
        record: { ...small.record, head: 7_777 },
        frames: frames(5_000, 2_777),
        messageIds: Array.from({ length: 500 }, (_, n) => `m${n}`).sort(),
      };
      expect(await b.import(long, 'absent-only')).toEqual({ kind: 'imported' });
      expect(await a.export(long.sessionId)).toEqual(long);
      const before = [...(await traces(long.sessionId)).keys()].sort();
      expect(await b.import(long, 'replace')).toEqual({ kind: 'imported' });
      expect([...(await traces(long.sessionId)).keys()].sort()).toEqual(before);
      const { fence } = await claimed(a, long.sessionId, 'a');
      expectCommitted(await a.append(fence, appendOf({ expectedHead: 7_777, frames: frames(7_777, 1) })));
      expect(await b.import({ ...long, sessionId: fence.sessionId }, 'replace')).toEqual({ kind: 'held' });
      expect((await b.read(fence.sessionId))?.head).toBe(7_778);
    });

    it('an import refuses a dump whose frames do not end at its head', async () => {
      const [a] = fixture().stores;
      const dump = await dumpOf(a, await ownerless(a, { frames: frames(0, 2) }));
      const torn = { ...dump, sessionId: freshId(), frames: dump.frames.slice(0, 1) };
      await expect(a.import(torn, 'absent-only')).rejects.toThrow(/does not continue/);
      expect(await a.read(torn.sessionId)).toBeNull();
    });
  });
}
