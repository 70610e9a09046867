/** The records of a session's transitions. */

import { describe, expect, it } from 'vitest';
import type { Commit } from '../../src/store/contract.ts';
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

const MOST = OPTIONS.historyMax ?? 0;

export function describeHistory(fixture: () => StoreFixture): void {
  describe('history', () => {
    it('a store keeps the record of a commit with the commit, and reads it back with the session', async () => {
      const [a, b] = fixture().stores;
      expect(await a.readHistory(freshId())).toBeNull();
      const { sessionId, fence } = await created(a, 'a', { history: '["one ä 🙂"]' });
      const next = commitOf({ expectedVersion: 1, snapshot: '{"value":"next"}', history: '["two"]' });
      expectCommitted(await a.commit(fence, next));
      expect(await b.readHistory(sessionId)).toEqual({
        record: await b.read(sessionId),
        history: ['["one ä 🙂"]', '["two"]'],
      });
      expect((await b.readHistory(sessionId))?.record).toMatchObject({ version: 2, snapshot: next.snapshot });
    });

    it('a repeated commit adds no second record, and a refused one adds none', async () => {
      const [a, b] = fixture().stores;
      const first = commitOf({ messageIds: ['m'], history: '["first"]' });
      const sessionId = freshId();
      const { fence } = await claimed(a, sessionId, 'a');
      expectCommitted(await a.commit(fence, first));
      expectCommitted(await a.commit(fence, first));
      const refused: Partial<Commit>[] = [
        { expectedVersion: 7 },
        { expectedVersion: 1, expectedHead: 7, frames: frames(7, 1) },
        { expectedVersion: 1, messageIds: ['m'] },
      ];
      for (const changes of refused) await a.commit(fence, commitOf({ ...changes, history: '["refused"]' }));
      const other = { ...fence, token: 'another' };
      await a.commit(other, commitOf({ expectedVersion: 1, history: '["fenced"]' }));
      expect((await b.readHistory(sessionId))?.history).toEqual(['["first"]']);
    });

    it('an append, a renewal and a commit without a record leave the history as it is', async () => {
      const [a] = fixture().stores;
      const { sessionId, fence } = await created(a, 'a', { history: '["one"]' });
      expectCommitted(await a.append(fence, appendOf({ frames: frames(0, 2) })));
      await a.renew(fence);
      expectCommitted(await a.commit(fence, commitOf({ expectedVersion: 1, expectedHead: 2 })));
      expect((await a.readHistory(sessionId))?.history).toEqual(['["one"]']);
      const last = commitOf({ expectedVersion: 2, expectedHead: 2, history: '["three"]' });
      expectCommitted(await a.commit(fence, last));
      expect((await a.readHistory(sessionId))?.history).toEqual(['["one"]', '["three"]']);
    });

    it('a store keeps the newest records and drops the oldest', async () => {
      const [a] = fixture().stores;
      const { sessionId, fence } = await created(a, 'a', { history: '[1]' });
      for (let version = 1; version < MOST + 3; version += 1)
        expectCommitted(
          await a.commit(fence, commitOf({ expectedVersion: version, history: `[${version + 1}]` })),
        );
      const kept = Array.from({ length: MOST }, (_, place) => `[${place + 4}]`);
      expect((await a.readHistory(sessionId))?.history).toEqual(kept);
    });

    it('the end of a session deletes its history, and a session with its id begins a new one', async () => {
      const { stores, traces } = fixture();
      const [a] = stores;
      const { sessionId, fence } = await created(a, 'a', { history: '["old"]' });
      expectCommitted(await a.commit(fence, commitOf({ expectedVersion: 1, end: true, history: '["end"]' })));
      expect(await a.readHistory(sessionId)).toBeNull();
      expect([...(await traces(sessionId)).keys()]).toEqual([]);
      const again = await claimed(a, sessionId, 'a');
      expectCommitted(await a.commit(again.fence, commitOf({ history: '["new"]' })));
      expect((await a.readHistory(sessionId))?.history).toEqual(['["new"]']);
    });

    it('a discarded session leaves no record', async () => {
      const { stores, traces } = fixture();
      const [a] = stores;
      const sessionId = await ownerless(a, { history: '["gone"]' });
      expect(await a.discard(sessionId)).toBe('discarded');
      expect(await a.readHistory(sessionId)).toBeNull();
      expect([...(await traces(sessionId)).keys()]).toEqual([]);
    });

    it('an imported session has the records of its dump, and its next owner adds to them', async () => {
      const [a, b] = fixture().stores;
      const sessionId = await ownerless(a, { history: '["one"]' });
      const dump = await a.export(sessionId);
      if (dump === null) throw new Error('the session is gone');
      const copy = { ...dump, sessionId: freshId(), history: ['["zero"]', '["one"]'] };
      expect(await b.import(copy, 'absent-only')).toEqual({ kind: 'imported' });
      const { fence } = await claimed(b, copy.sessionId, 'b');
      expectCommitted(await b.commit(fence, commitOf({ expectedVersion: 1, history: '["two"]' })));
      expect((await a.readHistory(copy.sessionId))?.history).toEqual(['["zero"]', '["one"]', '["two"]']);
      await b.release(fence, false);
      expect(await b.import({ ...dump, sessionId: copy.sessionId }, 'replace')).toEqual({ kind: 'imported' });
      expect((await a.readHistory(copy.sessionId))?.history).toEqual(['["one"]']);
    });
  });
}
