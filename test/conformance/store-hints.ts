/** Hints, messages and heartbeats between live instances, all best effort. */

import { describe, expect, it } from 'vitest';
import { bucketOf, type Hint } from '../../src/store/contract.ts';
import { storedFrame } from '../../src/store/log.ts';
import { appendOf, commitOf, created, frames, freshId, type StoreFixture, until } from './store-fixture.ts';

export function describeHints(fixture: () => StoreFixture): void {
  /** Collects the hints of one session. */
  function listen(store: StoreFixture['stores'][number], sessionId: string): Hint[] {
    const heard: Hint[] = [];
    store.onHint((hint) => {
      if (hint.sessionId === sessionId) heard.push(hint);
    });
    return heard;
  }

  describe('hints', () => {
    it('watchers get a hint for commits, appends and releases with notify', async () => {
      const [a, b, c] = fixture().stores;
      const { sessionId, fence } = await created(a, 'a');
      const [heardByB, heardByC] = [listen(b, sessionId), listen(c, sessionId)];
      await b.watch(sessionId);
      await a.commit(fence, commitOf({ expectedVersion: 1, notify: true }));
      await until(() => heardByB.length === 1);
      await a.append(fence, appendOf({ frames: frames(0, 1), notify: true }));
      await until(() => heardByB.length === 2);
      await a.commit(fence, commitOf({ expectedVersion: 2, expectedHead: 1, notify: false }));
      await a.release(fence, true);
      await until(() => heardByB.length === 3);
      expect(heardByB).toEqual(Array(3).fill({ kind: 'moved', sessionId }));
      expect(heardByC).toEqual([]);
    });

    it('the hint of an end carries the frames of the ending', async () => {
      const [a, b] = fixture().stores;
      const { sessionId, fence } = await created(a, 'a');
      const heard = listen(b, sessionId);
      await b.watch(sessionId);
      const last = [storedFrame(1, '{"bye":"\\n 🙂"}', '1'), ...frames(1, 1)];
      await a.commit(fence, commitOf({ expectedVersion: 1, frames: last, notify: true, end: true }));
      await until(() => heard.length === 1);
      expect(heard).toEqual([{ kind: 'ended', sessionId, frames: last }]);
    });

    it('the hint of an end carries the tail of the log if the commit asks for it', async () => {
      const [a, b] = fixture().stores;
      const before = [storedFrame(1, '{"text":"\\n / \\u0000 🙂 \\""}', '1'), ...frames(1, 3)];
      const { sessionId, fence } = await created(a, 'a', { frames: before });
      const heard = listen(b, sessionId);
      await b.watch(sessionId);
      await a.append(fence, appendOf({ expectedHead: 4, frames: frames(4, 1) }));
      const ending = { expectedVersion: 1, expectedHead: 5, frames: frames(5, 2) };
      await a.commit(fence, commitOf({ ...ending, notify: true, end: true, tail: true }));
      await until(() => heard.length === 1);
      const [hint] = heard;
      const told = hint?.kind === 'ended' ? hint.frames.map(({ offset, data }) => ({ offset, data })) : [];
      const all = [...before, ...frames(4, 3)].map(({ offset, data }) => ({ offset, data }));
      expect(told).toEqual(all);
    });

    it('the hint of an end carries the newest frames of the log within its size limit', async () => {
      const [a, b] = fixture().stores;
      const long = frames(0, 4).map(({ offset }) => storedFrame(offset, `"${'é'.repeat(15_000)}"`));
      const { sessionId, fence } = await created(a, 'a', { frames: long });
      const heard = listen(b, sessionId);
      await b.watch(sessionId);
      const ending = { expectedVersion: 1, expectedHead: 4, frames: [] };
      await a.commit(fence, commitOf({ ...ending, notify: true, end: true, tail: true }));
      await until(() => heard.length === 1);
      const [hint] = heard;
      const fitting = fixture().stretches === true ? [4] : [3, 4];
      expect(hint?.kind === 'ended' ? hint.frames.map(({ offset }) => offset) : []).toEqual(fitting);
    });

    it('unwatch stops the hints of one session, even if another shares its bucket', async () => {
      const [a, b] = fixture().stores;
      const one = await created(a, 'a');
      let twinId = freshId();
      while (bucketOf(twinId) !== bucketOf(one.sessionId)) twinId = freshId();
      const heardOne = listen(b, one.sessionId);
      const heardTwin = listen(b, twinId);
      const outcome = await a.claim(twinId, 'a');
      if (outcome.kind !== 'claimed') throw new Error('not claimed');
      await Promise.all([b.watch(one.sessionId), b.watch(twinId)]);
      b.unwatch(one.sessionId);
      await a.commit(one.fence, commitOf({ expectedVersion: 1, notify: true }));
      await a.commit(outcome.fence, commitOf({ notify: true }));
      await until(() => heardTwin.length === 1);
      expect(heardOne).toEqual([]);
      b.unwatch(twinId);
      await b.watch(one.sessionId);
      await a.commit(one.fence, commitOf({ expectedVersion: 2, notify: true }));
      await until(() => heardOne.length === 1);
      expect(heardTwin).toHaveLength(1);
    });
  });

  describe('instances', () => {
    it('an instance gets messages to itself and no others', async () => {
      const [a, b, c] = fixture().stores;
      const [nameB, nameC] = [freshId('b'), freshId('c')];
      const heardB: string[] = [];
      const heardC: string[] = [];
      await b.onSignal(nameB, (message) => heardB.push(message));
      await c.onSignal(nameC, (message) => heardC.push(message));
      await a.signal(nameB, 'first\n🙂');
      await a.signal(nameB, 'second');
      await a.signal('absent', 'lost');
      await until(() => heardB.length === 2);
      expect(heardB).toEqual(['first\n🙂', 'second']);
      expect(heardC).toEqual([]);
    });

    it('a heartbeat lists live instances, without those that deregistered or stopped beating', async () => {
      const { stores, elapse } = fixture();
      const [a, b, c] = stores;
      const [nameA, nameB, nameC] = [freshId('a'), freshId('b'), freshId('c')];
      const ours = (names: readonly string[]) => names.filter((name) => [nameA, nameB, nameC].includes(name));
      expect(ours(await a.heartbeat(nameA, 10_000))).toEqual([nameA]);
      await c.heartbeat(nameC, 10_000);
      expect(ours(await b.heartbeat(nameB, 200))).toEqual([nameA, nameB, nameC]);
      await c.deregister(nameC);
      expect(ours(await a.heartbeat(nameA, 10_000))).toEqual([nameA, nameB]);
      await elapse(250);
      expect(ours(await a.heartbeat(nameA, 10_000))).toEqual([nameA]);
    });
  });
}
