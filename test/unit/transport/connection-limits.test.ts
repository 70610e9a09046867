import { afterEach, describe, expect, it } from 'vitest';
import { type Limit, type Limits, unlimited } from '../../../src/limits/limits.ts';
import type { ServerFrame } from '../../../src/protocol/server-frames.ts';
import { openStage, type Stage } from '../../support/actor/stage.ts';

const SESSION = '6f1c2a9e-8a4e-4a57-9f0b-0d1f2c3b4a59';
const WAIT_MS = 4_321;

/** So many points in all, for everybody; keeps the keys. */
function limitOf(points: number): Limit & { readonly keys: readonly string[] } {
  const keys: string[] = [];
  const left = () => (keys.length < points ? 0 : WAIT_MS);
  return {
    keys,
    take: async (key) => {
      const waitMs = left();
      keys.push(key);
      return waitMs;
    },
    wait: async () => left(),
    spend: (key) => void keys.push(key),
  };
}

const errorsIn = (frames: readonly ServerFrame[]) => frames.filter((frame) => frame.type === 'error');

describe('connection with limits', () => {
  let stage: Stage;
  afterEach(async () => {
    await stage.close();
  });
  const limited = async (limits: Partial<Limits>) => {
    stage = await openStage({ limits: { ...unlimited, ...limits } });
  };
  const greeted = async (fields: Readonly<Record<string, unknown>> = {}) => {
    const visitor = stage.connect();
    visitor.say({ type: 'hello', after: 0, ...fields });
    await stage.settle();
    return visitor;
  };

  it('a connection refuses a message over the rate with the time to retry, and stays open', async () => {
    const messages = limitOf(2);
    await limited({ messages });
    const visitor = await greeted({ session_id: SESSION });
    for (const id of ['a', 'b', 'c']) visitor.say({ type: 'message', id, content: id });
    await stage.settle();
    expect(errorsIn(visitor.frames)).toMatchObject([
      { code: 'rate_limited', message_id: 'c', retryable: true, retry_after_ms: WAIT_MS },
    ]);
    expect(visitor.closed).toBeNull();
    expect(messages.keys).toEqual(Array(3).fill(`session ${SESSION}`));
    const view = await stage.ports.services.sessions.view(SESSION);
    expect(view?.context.turn?.messageIds).toEqual(['a']);
    expect(view?.context.queue.map(({ messageIds }) => messageIds)).toEqual([['b']]);
  });

  it('a connection counts the messages and extensions of a user over all sessions, but never a cancel or a close', async () => {
    const messages = limitOf(2);
    await limited({ messages });
    const [one, two] = [await greeted({ user_id: 'ada' }), await greeted({ user_id: 'ada' })];
    one.say({ type: 'message', id: 'm', content: 'Good morning' });
    two.say({ type: 'extend' });
    await stage.settle();
    expect(errorsIn([...one.frames, ...two.frames])).toEqual([]);
    for (const visitor of [one, two]) visitor.say({ type: 'extend' });
    await stage.settle();
    for (const { frames } of [one, two]) expect(errorsIn(frames)).toMatchObject([{ code: 'rate_limited' }]);
    expect(new Set(messages.keys)).toEqual(new Set(['user ada']));
    one.say({ type: 'cancel' });
    two.say({ type: 'close' });
    await stage.settle();
    expect(one.frames.some(({ type }) => type === 'turn.cancelled')).toBe(true);
    expect(two.closed).toMatchObject({ code: 1000 });
    expect(messages.keys).toHaveLength(4);
  });

  it('a connection keeps its frames in order while the limit is asked', async () => {
    await limited({ messages: limitOf(100) });
    const visitor = await greeted();
    visitor.say({ type: 'message', id: 'first', content: 'Good morning' });
    visitor.say({ type: 'cancel' });
    visitor.say({ type: 'message', id: 'second', content: 'Good evening' });
    await stage.settle();
    const story = visitor.frames.flatMap((frame) =>
      'message_id' in frame ? [[frame.type, frame.message_id]] : [],
    );
    expect(story).toEqual([
      ['turn.started', 'first'],
      ['turn.cancelled', 'first'],
      ['turn.started', 'second'],
    ]);
    expect(errorsIn(visitor.frames)).toEqual([]);
  });

  it('a connection that closes while the limit is asked drops the frame', async () => {
    await limited({ messages: limitOf(100) });
    const visitor = await greeted({ session_id: SESSION });
    visitor.say({ type: 'message', id: 'late', content: 'Anybody?' });
    visitor.connection.closed();
    await stage.settle();
    expect(stage.generator.runs).toHaveLength(0);
  });

  it('a connection counts every hello but the first, which was counted with the connection', async () => {
    const connections = limitOf(1);
    await limited({ connections });
    stage.ports.services.hub.add = () => Promise.reject(new Error('away'));
    const visitor = await greeted();
    expect(connections.keys).toEqual([]);
    visitor.say({ type: 'hello' });
    await stage.settle();
    expect(visitor.closed).toBeNull();
    const before = stage.calls.length;
    visitor.say({ type: 'hello' });
    await stage.settle();
    expect(connections.keys).toEqual(Array(2).fill('192.0.2.1'));
    expect(visitor.frames.at(-1)).toMatchObject({ code: 'rate_limited', retry_after_ms: WAIT_MS });
    expect(visitor.closed).toMatchObject({ code: 1013 });
    expect(stage.calls.length).toBe(before);
  });

  it('an unknown or a foreign session id in a hello counts as a guess, an own or a new session does not', async () => {
    const guesses = limitOf(100);
    await limited({ guesses });
    await greeted();
    await greeted({ user_id: 'ada' });
    expect(guesses.keys).toHaveLength(0);
    await greeted({ session_id: SESSION, user_id: 'ada' });
    expect(guesses.keys).toHaveLength(1);
    expect((await greeted({ session_id: SESSION, user_id: 'ada' })).frames[0]).toMatchObject({
      resumed: true,
    });
    expect(guesses.keys).toHaveLength(1);
    expect((await greeted({ session_id: SESSION, user_id: 'eve' })).closed).toMatchObject({ code: 4003 });
    expect(guesses.keys).toEqual(Array(2).fill('192.0.2.1'));
  });

  it('an unknown session id in a hello counts as a guess when its user may have no more sessions', async () => {
    const guesses = limitOf(100);
    stage = await openStage({ limits: { ...unlimited, guesses }, sessionsPerUserMax: 1 });
    await greeted({ user_id: 'ada' });
    const { frames } = await greeted({ user_id: 'ada', session_id: SESSION });
    expect(frames).toMatchObject([{ type: 'error', code: 'too_many_sessions' }]);
    expect(guesses.keys).toHaveLength(1);
  });

  it('a client with too many guesses costs no call to the store, and may still open a new session', async () => {
    await limited({ guesses: limitOf(1) });
    await greeted({ session_id: SESSION });
    const before = stage.calls.length;
    for (const session_id of [SESSION, '3e1f0c52-6c1c-4b62-9a5e-0b6d1f0f4a11']) {
      const { frames, closed } = await greeted({ session_id });
      expect(frames).toMatchObject([{ type: 'error', code: 'rate_limited', retry_after_ms: WAIT_MS }]);
      expect(closed).toMatchObject({ code: 1013 });
    }
    expect(stage.calls.length).toBe(before);
    expect((await greeted()).frames[0]).toMatchObject({ type: 'welcome', resumed: false });
  });
});
