/**
 * A failover lost acknowledged writes, and another instance continued from the rest. A client that names the epoch it
 * saw gets a reset when it resumes. Of any other client only the instance of its socket knows what the client saw.
 */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Fence, Store } from '../../src/store/contract.ts';
import { storedFrame } from '../../src/store/log.ts';
import { LEASE_MS, openStage, type Stage, type Visitor } from '../support/actor/stage.ts';
import { isDurable } from '../support/instance/client.ts';

describe('client without an epoch', () => {
  let stage: Stage;
  let store: Store;
  let visitor: Visitor;
  let sessionId: string;

  beforeEach(async () => {
    stage = await openStage({
      wrap: (given) => {
        store = given;
        return given;
      },
    });
    visitor = stage.connect();
    visitor.say({ type: 'hello', after: 0 });
    await stage.settle();
    const [welcome] = visitor.frames;
    sessionId = welcome?.type === 'welcome' ? welcome.session_id : '';
  });
  afterEach(async () => {
    await stage.close();
  });

  const offset = (): number => visitor.frames.findLast(isDurable)?.offset ?? 0;

  async function talk(id: string, ...pieces: readonly string[]): Promise<void> {
    visitor.say({ type: 'message', id, content: 'Good morning' });
    await stage.settle();
    for (const text of pieces) {
      stage.generator.running?.say({ text });
      await stage.settle();
      await stage.advance(25);
    }
  }

  /** Sets the store back to `dump`, and then lets another instance claim the session. */
  async function loseWrites(): Promise<{ readonly after: number; readonly goOn: () => Promise<Fence> }> {
    const dump = await store.export(sessionId);
    if (dump === null) throw new Error('there is no session');
    return {
      after: dump.record.head,
      async goOn() {
        // The owner's lease is over for the store, but the owner does not know.
        stage.clock.set(LEASE_MS + 1);
        expect(await store.import(dump, 'replace')).toEqual({ kind: 'imported' });
        const claim = await store.claim(sessionId, 'another');
        if (claim.kind !== 'claimed') throw new Error(`the session is ${claim.kind}`);
        return claim.fence;
      },
    };
  }

  async function write(fence: Fence, head: number, count: number): Promise<void> {
    const frames = Array.from({ length: count }, (_, index) => {
      const at = head + index + 1;
      const frame = { type: 'expiring', offset: at, epoch: fence.epoch, expires_at: 1, reason: 'idle' };
      return storedFrame(at, JSON.stringify(frame));
    });
    const append = { writeId: 'w', expectedHead: head, frames, inboxTaken: 0, notify: false };
    expect(await store.append(fence, append)).toMatchObject({ kind: 'committed' });
  }

  it.each([
    ['is shorter than', 0],
    ['has grown as long as', 3],
    ['has grown longer than', 5],
  ])(
    'a client without an epoch gets a reset before its socket closes, when the log %s what it saw',
    async (_, more) => {
      const lost = await loseWrites();
      await talk('m', 'one');
      expect(offset()).toBe(lost.after + 3);
      const fence = await lost.goOn();
      if (more > 0) await write(fence, lost.after, more);

      stage.generator.running?.say({ text: 'two' });
      await stage.advance(25);
      await stage.settle();
      const last = visitor.frames.slice(-2);
      expect(last).toMatchObject([
        { type: 'reset', reason: 'rolled_back', offset: lost.after + more, epoch: fence.epoch },
        { type: 'error', code: 'session_moved' },
      ]);
      expect(visitor.closed).toMatchObject({ code: 1012 });
    },
  );

  it('a client without an epoch gets the frames of the new owner before its socket closes, when nothing was lost', async () => {
    await talk('m', 'one');
    const seen = offset();
    stage.clock.set(LEASE_MS + 1);
    const claim = await store.claim(sessionId, 'another');
    if (claim.kind !== 'claimed') throw new Error(`the session is ${claim.kind}`);
    await write(claim.fence, seen, 2);

    stage.generator.running?.say({ text: 'two' });
    await stage.advance(25);
    await stage.settle();
    expect(offset()).toBe(seen + 2);
    expect(visitor.frames.some((frame) => frame.type === 'reset')).toBe(false);
    expect(visitor.closed).toMatchObject({ code: 1012 });
  });
});
