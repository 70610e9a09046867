/** STORE-3 to STORE-6: the frame log, message ids, the inbox, the transcript, and the end of a session. */

import { describe, expect, it } from 'vitest';
import { type Hint, UNCOMMITTED_LEASES } from '../../src/store/contract.ts';
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
  until,
} from './store-fixture.ts';

export function describeLog(fixture: () => StoreFixture): void {
  describe('the frame log', () => {
    it('the log continues over commits and appends without a gap and keeps data and aux byte for byte', async () => {
      const [a, b] = fixture().stores;
      const { sessionId, fence } = await created(a, 'a', { frames: frames(0, 2) });
      const special = storedFrame(3, '{"t":"\\u0000 é 漢字 🙂 \\r\\n \\"q\\""}', '[[1,2],"x"]');
      expectCommitted(await a.append(fence, appendOf({ expectedHead: 2, frames: [special] })));
      expectCommitted(
        await a.commit(fence, commitOf({ expectedVersion: 1, expectedHead: 3, frames: frames(3, 1) })),
      );
      const all = [...frames(0, 2), special, ...frames(3, 1)];
      expect(await b.readLog(sessionId, 0, 100)).toEqual({ frames: all, first: 1, head: 4 });
      expect(await b.readLog(sessionId, 1, 2)).toEqual({ frames: all.slice(1, 3), first: 1, head: 4 });
      expect(await b.readLog(sessionId, 4, 100)).toEqual({ frames: [], first: 1, head: 4 });
      expect(await b.readLog(sessionId, 99, 100)).toEqual({ frames: [], first: 1, head: 4 });
    });

    it('the first offset of an empty log is head + 1', async () => {
      const [a] = fixture().stores;
      const { sessionId } = await created(a, 'a');
      expect(await a.readLog(sessionId, 0, 10)).toEqual({ frames: [], first: 1, head: 0 });
    });

    it('the log keeps exactly its maximum of frames and reports the first offset', async () => {
      const [a] = fixture().stores;
      const kept = OPTIONS.frameLogMax;
      const { sessionId, fence } = await created(a, 'a', { frames: frames(0, kept - 1) });
      expectCommitted(
        await a.append(fence, appendOf({ expectedHead: kept - 1, frames: frames(kept - 1, 1) })),
      );
      expect((await a.readLog(sessionId, 0, 1_000))?.first).toBe(1);
      expectCommitted(await a.append(fence, appendOf({ expectedHead: kept, frames: frames(kept, 1) })));
      expect((await a.readLog(sessionId, 0, 1_000))?.first).toBe(2);
      const many = commitOf({
        expectedVersion: 1,
        expectedHead: kept + 1,
        frames: frames(kept + 1, 2 * kept + 3),
      });
      expectCommitted(await a.commit(fence, many));
      const head = 3 * kept + 4;
      expect(await a.readLog(sessionId, 0, 1_000)).toEqual({
        frames: frames(head - kept, kept),
        first: head - kept + 1,
        head,
      });
    });
  });

  describe('keepFrom', () => {
    it('the log keeps all frames from keepFrom on until a write no longer asks for it', async () => {
      const [a] = fixture().stores;
      const max = OPTIONS.frameLogMax;
      const { sessionId, fence } = await created(a, 'a', { frames: frames(0, max), keepFrom: max - 1 });
      const append = appendOf({ expectedHead: max, frames: frames(max, max), keepFrom: max - 1 });
      expectCommitted(await a.append(fence, append));
      expect(await a.readLog(sessionId, 0, 1)).toEqual({
        frames: frames(max - 2, 1),
        first: max - 1,
        head: 2 * max,
      });
      const commit = { expectedVersion: 1, expectedHead: 2 * max, keepFrom: max - 1 };
      expectCommitted(await a.commit(fence, commitOf({ ...commit, frames: frames(2 * max, 3) })));
      expect(await a.readLog(sessionId, 0, 1)).toMatchObject({ first: max - 1, head: 2 * max + 3 });

      const last = { expectedHead: 2 * max + 3, frames: frames(2 * max + 3, 1) };
      expectCommitted(await a.append(fence, appendOf(last)));
      expect(await a.readLog(sessionId, 0, 1)).toMatchObject({ first: max + 5, head: 2 * max + 4 });
    });

    it('keepFrom never shortens the log below its maximum', async () => {
      const [a] = fixture().stores;
      const max = OPTIONS.frameLogMax;
      const { sessionId } = await created(a, 'a', { frames: frames(0, max + 2), keepFrom: max + 2 });
      expect(await a.readLog(sessionId, 0, 1)).toMatchObject({ first: 3, head: max + 2 });
    });
  });

  describe('message ids', () => {
    it('a session takes a message id once, and a commit with a taken id writes nothing', async () => {
      const { stores } = fixture();
      const [a, b] = stores;
      const { sessionId, fence } = await created(a, 'a', { messageIds: ['m1', 'm2'] });
      const again = commitOf({ expectedVersion: 1, frames: frames(0, 1), messageIds: ['m3', 'm2'] });
      expect(await a.commit(fence, again)).toEqual({ kind: 'duplicate', messageId: 'm2' });
      expect(await a.read(sessionId)).toMatchObject({ version: 1, head: 0 });
      await a.release(fence, false);
      const next = await claimed(b, sessionId, 'b');
      // The refused commit did not take m3.
      expectCommitted(await b.commit(next.fence, commitOf({ expectedVersion: 1, messageIds: ['m3'] })));
      expect(await b.commit(next.fence, commitOf({ expectedVersion: 2, messageIds: ['m1'] }))).toEqual({
        kind: 'duplicate',
        messageId: 'm1',
      });
    });
  });

  describe('the inbox', () => {
    it('the inbox keeps its order, is bounded, names the owner, and loses an entry in the write that applies it', async () => {
      const [a, b] = fixture().stores;
      const { sessionId, fence } = await created(a, 'a');
      for (const entry of ['1', '2', '3', '4']) {
        expect(await b.push(sessionId, entry)).toEqual({ kind: 'pushed', owner: 'a' });
      }
      expect(await b.push(sessionId, '5')).toEqual({ kind: 'full' });
      expect(await a.readInbox(sessionId)).toEqual(['1', '2', '3', '4']);
      expect(await a.renew(fence)).toEqual({ kind: 'renewed', inboxLength: 4 });
      const commit = commitOf({ expectedVersion: 1, inboxTaken: 2 });
      expect(await a.commit(fence, commit)).toEqual({ kind: 'committed', inboxLength: 2 });
      expect(await a.commit(fence, commit)).toEqual({ kind: 'committed', inboxLength: 2 });
      expect(await a.readInbox(sessionId)).toEqual(['3', '4']);
      const append = appendOf({ frames: frames(0, 1), inboxTaken: 1 });
      expect(await a.append(fence, append)).toEqual({ kind: 'committed', inboxLength: 1 });
      expect(await a.read(sessionId)).toMatchObject({ inboxLength: 1 });
    });

    it('an owner cannot release a session while its inbox has entries', async () => {
      const [a, b] = fixture().stores;
      const { sessionId, fence } = await created(a, 'a');
      await b.push(sessionId, 'late');
      expect(await a.release(fence, true)).toEqual({ kind: 'pending' });
      expect(await b.claim(sessionId, 'b')).toMatchObject({ kind: 'held' });
      expectCommitted(await a.commit(fence, commitOf({ expectedVersion: 1, inboxTaken: 1 })));
      expect(await a.release(fence, true)).toEqual({ kind: 'released' });
    });

    it('a push returns no owner for an unclaimed session, and `absent` for a session that does not exist', async () => {
      const { stores, elapse } = fixture();
      const [a, b] = stores;
      const sessionId = await ownerless(a);
      expect(await b.push(sessionId, 'x')).toEqual({ kind: 'pushed', owner: null });
      const next = await claimed(b, sessionId, 'b');
      expect(next.record?.inboxLength).toBe(1);
      expect(await a.push(sessionId, 'y')).toEqual({ kind: 'pushed', owner: 'b' });
      await elapse(OPTIONS.leaseMs + 50);
      expect(await a.push(sessionId, 'z')).toEqual({ kind: 'pushed', owner: null });
      expect(await a.push('no-such-session', 'x')).toEqual({ kind: 'absent' });
      expect(await a.readInbox('no-such-session')).toEqual([]);
    });
  });

  describe('the transcript', () => {
    it('the transcript returns its entries in order, without forgotten turns', async () => {
      const [a, b] = fixture().stores;
      const say = (turnId: string, role: 'user' | 'assistant') => ({
        role,
        content: `${role} ${turnId}`,
        turnId,
        at: 1,
      });
      const { sessionId, fence } = await created(a, 'a', {
        transcript: [say('t1', 'user'), say('t1', 'assistant')],
      });
      expectCommitted(
        await a.commit(fence, commitOf({ expectedVersion: 1, transcript: [say('t2', 'user')] })),
      );
      expectCommitted(
        await a.commit(fence, commitOf({ expectedVersion: 2, transcript: [{ forget: 't2' }] })),
      );
      expectCommitted(
        await a.commit(fence, commitOf({ expectedVersion: 3, transcript: [say('t3', 'user')] })),
      );
      expect(await b.readTranscript(sessionId)).toEqual([
        say('t1', 'user'),
        say('t1', 'assistant'),
        say('t3', 'user'),
      ]);
      expect(await b.readTranscript('no-such-session')).toEqual([]);
    });

    it('a transcript of many pages is read whole and in order, without turns that a later page forgets', async () => {
      const [a, b] = fixture().stores;
      const { sessionId, fence } = await created(a, 'a');
      const entries = Array.from({ length: 300 }, (_, n) => ({
        role: 'user' as const,
        content: `${n} ${'ü'.repeat((n % 7) * 1_000)}`,
        turnId: `t${n}`,
        at: n,
      }));
      const forgotten = [0, 1, 31, 32, 150, 299].map((n) => `t${n}`);
      const transcript = [...entries, ...forgotten.map((forget) => ({ forget }))];
      for (let version = 1; transcript.length > 0; version += 1)
        expectCommitted(
          await a.commit(fence, commitOf({ expectedVersion: version, transcript: transcript.splice(0, 61) })),
        );
      expect(await b.readTranscript(sessionId)).toEqual(
        entries.filter(({ turnId }) => !forgotten.includes(turnId)),
      );
    });

    it('a transcript whose session ends while it is read is whole, or empty', async () => {
      const [a, b] = fixture().stores;
      const { sessionId, fence } = await created(a, 'a');
      const entries = Array.from({ length: 200 }, (_, n) => ({
        role: 'user' as const,
        content: 'x'.repeat(4_000),
        turnId: `t${n}`,
        at: n,
      }));
      expectCommitted(await a.commit(fence, commitOf({ expectedVersion: 1, transcript: entries })));
      const reads = Array.from({ length: 10 }, () => b.readTranscript(sessionId));
      expectCommitted(await a.commit(fence, commitOf({ expectedVersion: 2, end: true })));
      for (const read of await Promise.all(reads)) expect([0, 200]).toContain(read.length);
    });
  });

  describe('what stays and what goes', () => {
    const full = {
      frames: frames(0, 2),
      messageIds: ['m1'],
      transcript: [{ role: 'user', content: 'hi', turnId: 't', at: 1 }],
      dueAt: 1_900_000_000_000,
    } as const;

    it('a committed session has no time limit, whatever the last write was and even if no instance runs', async () => {
      const { stores, traces } = fixture();
      const { sessionId, fence } = await created(stores[0], 'a', full);
      const limits = async () => {
        const found = await traces(sessionId);
        expect(found.size).toBeGreaterThan(0);
        // Only the owner's lease may expire.
        return [...found.values()].filter((ms) => ms !== null && ms > OPTIONS.leaseMs && Number.isFinite(ms));
      };
      expect(await limits()).toEqual([]);
      await stores[1].push(sessionId, 'x');
      expect(await limits()).toEqual([]);
      await stores[0].append(fence, appendOf({ expectedHead: 2, frames: frames(2, 1), inboxTaken: 1 }));
      expect(await limits()).toEqual([]);
      await stores[0].commit(fence, commitOf({ expectedVersion: 1, expectedHead: 3 }));
      await stores[0].renew(fence);
      expect(await limits()).toEqual([]);
      expect(await stores[0].release(fence, false)).toEqual({ kind: 'released' });
      const next = await claimed(stores[1], sessionId, 'b');
      expect(await limits()).toEqual([]);
      await stores[1].renew(next.fence);
      expect(await limits()).toEqual([]);
    });

    it('a claim without a commit has a time limit', async () => {
      const { stores, traces } = fixture();
      const sessionId = freshId();
      const { fence } = await claimed(stores[0], sessionId, 'a');
      const longestMs = async () => Math.max(...[...(await traces(sessionId)).values()].map((ms) => ms ?? 0));
      expect(await longestMs()).toBeLessThanOrEqual(UNCOMMITTED_LEASES * OPTIONS.leaseMs);
      await stores[0].renew(fence);
      expect(await longestMs()).toBeLessThanOrEqual(UNCOMMITTED_LEASES * OPTIONS.leaseMs);
    });

    it('discard deletes an unclaimed session unread, leaves no trace, and hints its watchers', async () => {
      const { stores, traces } = fixture();
      const [a, b, c] = stores;
      const { sessionId, fence } = await created(a, 'a', full);
      await b.push(sessionId, 'x');
      expect(await b.discard(sessionId)).toBe('held');
      expect(await b.read(sessionId)).toMatchObject({ version: 1, inboxLength: 1 });
      const hints: Hint[] = [];
      c.onHint((hint) => {
        if (hint.sessionId === sessionId) hints.push(hint);
      });
      await c.watch(sessionId);
      await a.append(fence, appendOf({ expectedHead: 2, inboxTaken: 1 }));
      expect(await a.release(fence, false)).toEqual({ kind: 'released' });
      expect(await b.discard(sessionId)).toBe('discarded');
      expect([...(await traces(sessionId)).keys()]).toEqual([]);
      expect(await b.read(sessionId)).toBeNull();
      expect(await b.discard(sessionId)).toBe('absent');
      expect(await a.commit(fence, commitOf({ expectedVersion: 1, expectedHead: 2 }))).toEqual({
        kind: 'fenced',
      });
      await until(() => hints.some(({ kind }) => kind === 'ended'));
    });

    it('an ended session leaves no trace in the store', async () => {
      const { stores, traces } = fixture();
      const { sessionId, fence } = await created(stores[0], 'a', full);
      await stores[1].push(sessionId, 'x');
      expect((await traces(sessionId)).size).toBeGreaterThan(0);
      const ending = commitOf({
        expectedVersion: 1,
        expectedHead: 2,
        frames: frames(2, 1),
        end: true,
        notify: true,
      });
      expectCommitted(await stores[0].commit(fence, ending));
      expect([...(await traces(sessionId)).keys()]).toEqual([]);
      expect(await stores[1].read(sessionId)).toBeNull();
      expect(await stores[1].readLog(sessionId, 0, 10)).toBeNull();
      expect(await stores[0].renew(fence)).toEqual({ kind: 'fenced' });
      expect(await stores[0].release(fence, false)).toEqual({ kind: 'released' });
      expect([...(await traces(sessionId)).keys()]).toEqual([]);
    });
  });
}
