import { describe, expect, it, vi } from 'vitest';
import type { Piece } from '../../../src/client/package/client.ts';
import { delta, SESSION, started } from './client-scene.ts';
import { completed, packageScene } from './package-scene.ts';

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const read: T[] = [];
  for await (const value of values) read.push(value);
  return read;
}

const piece = (text: string, startsOver = false): Piece => ({ text, reasoning: '', startsOver });

describe('a session of the package', () => {
  it('an address of a server without a path, of http or ws, leads to its session socket', async () => {
    for (const url of ['http://one', 'ws://one', 'ws://one/v1/session', ['http://one/']]) {
      const { session, dial } = packageScene({ url });
      expect((await dial(1)).url).toBe('ws://one/v1/session');
      session.leave();
    }
    expect(() => packageScene({ url: 'ftp://one' })).toThrow('ftp://one is no address of a Rehydra server');
  });

  it('an awaited message resolves once the server has stored it, and its answer later', async () => {
    const { session, dial, welcome } = packageScene();
    await dial(1);
    const socket = welcome();
    const message = session.send('hello', { id: 'm' });
    let isStored = false;
    const stored = Promise.resolve(message).then(() => {
      isStored = true;
    });
    await Promise.resolve();
    expect(isStored).toBe(false);
    socket.say({ type: 'message.queued', offset: 2, epoch: 1, message_id: 'm', position: 1 });
    await stored;
    socket.say(started(3, 'm'));
    expect(message.turnId).toBe('t-m');
    socket.say(delta(4, 'm', 'good '));
    const pieces = all(message);
    socket.say(delta(5, 'm', 'day'));
    socket.say(completed(6, 'm'));
    expect(await message.text).toBe('good day');
    expect((await message.done).outcome).toEqual({ kind: 'completed', finishReason: 'stop' });
    expect(await pieces).toEqual([piece('good '), piece('day')]);
    session.leave();
  });

  it('a question that is asked again replaces its turn in the conversation', async () => {
    const { session, dial, welcome } = packageScene();
    await dial(1);
    const socket = welcome();
    session.send('hello', { id: 'm' });
    for (const frame of [started(2, 'm'), delta(3, 'm', 'good day'), completed(4, 'm')]) socket.say(frame);
    const again = session.regenerate({ turnId: 't-m', content: 'hello again', id: 'n' });
    expect(socket.ofType('regenerate')).toEqual([
      { type: 'regenerate', id: 'n', turn_id: 't-m', content: 'hello again' },
    ]);
    socket.say({ type: 'turn.retracted', offset: 5, epoch: 1, turn_id: 't-m' });
    for (const frame of [started(6, 'n'), delta(7, 'n', 'welcome back'), completed(8, 'n')])
      socket.say(frame);
    expect(await again.text).toBe('welcome back');
    expect(session.conversation.turns.map(({ turnId }) => turnId)).toEqual(['t-n']);
    session.leave();
  });

  it('a fork gives the id of the new session, also if the connection breaks before it is known', async () => {
    const { session, dial, welcome } = packageScene();
    await dial(1);
    const first = welcome();
    const forked = session.fork({ after: 't-m' });
    first.end(1006);
    const second = await dial(2);
    welcome();
    const [request] = second.ofType('fork');
    expect(first.ofType('fork')).toEqual([request]);
    const named = { message_id: String(request?.id), session_id: SESSION };
    second.say({ type: 'forked', offset: 2, epoch: 1, ...named });
    expect(await forked).toBe(SESSION);
    expect(session.unacknowledged).toEqual([]);
    const refused = session.fork();
    const { id } = second.ofType('fork').at(-1) ?? {};
    second.say({ type: 'error', code: 'forbidden', message: 'no', retryable: false, message_id: id });
    await expect(refused).rejects.toMatchObject({ code: 'forbidden' });
    session.leave();
  });

  it('a message that is sent without a connection goes out with the welcome, and again after a loss', async () => {
    const { session, dial, welcome } = packageScene();
    session.send('hello', { id: 'm' });
    await dial(1);
    const first = welcome();
    expect(first.ofType('message')).toHaveLength(1);
    first.end(1006);
    const second = await dial(2);
    welcome();
    expect(second.ofType('message')).toEqual(first.ofType('message'));
    session.leave();
  });

  it('an answer that starts over tells its reader to drop the pieces before', async () => {
    const { session, dial, welcome } = packageScene();
    await dial(1);
    const socket = welcome();
    const message = session.send('hello', { id: 'm' });
    socket.say(started(2, 'm'));
    socket.say(delta(3, 'm', 'bad'));
    const pieces = all(message);
    socket.say({ ...started(4, 'm'), restarts: 1 });
    socket.say(delta(5, 'm', 'good'));
    socket.say(completed(6, 'm'));
    expect(await pieces).toEqual([piece('bad'), piece('', true), piece('good')]);
    expect(await message.text).toBe('good');
    session.leave();
  });

  it('a message that the server merged into a later one gets the answer of their turn', async () => {
    const { session, dial, welcome } = packageScene();
    await dial(1);
    const socket = welcome();
    const message = session.send('one', { id: 'a', policy: 'merge' });
    socket.say({ ...started(2, 'b'), message_ids: ['a', 'b'] });
    socket.say(delta(3, 'b', 'both'));
    socket.say(completed(4, 'b'));
    expect(await message.text).toBe('both');
    session.leave();
  });

  it('a refused message rejects with the code of the server', async () => {
    const { session, dial, welcome } = packageScene();
    await dial(1);
    const message = session.send('hello', { id: 'm' });
    welcome().say({ type: 'error', code: 'queue_full', message: 'full', retryable: true, message_id: 'm' });
    const refusal = { name: 'RehydraError', code: 'queue_full', retryable: true };
    await expect(message).rejects.toMatchObject(refusal);
    await expect(message.done).rejects.toMatchObject(refusal);
    await expect(all(message)).rejects.toMatchObject(refusal);
    session.leave();
  });

  it('a failed turn gives its outcome, and rejects its text', async () => {
    const { session, dial, welcome } = packageScene();
    await dial(1);
    const socket = welcome();
    const message = session.send('hello', { id: 'm' });
    socket.say(started(2, 'm'));
    const error = { code: 'model_failed', message: '', retryable: true };
    socket.say({ type: 'turn.failed', offset: 3, epoch: 1, turn_id: 't-m', message_id: 'm', error });
    expect((await message.done).outcome).toEqual({ kind: 'failed', code: 'model_failed', retryable: true });
    await expect(message.text).rejects.toMatchObject({ code: 'model_failed' });
    session.leave();
  });

  it('a client that leaves ends its iterators, and fails the messages without an answer', async () => {
    const { session, dial, welcome } = packageScene();
    const events = all(session);
    await dial(1);
    welcome();
    const message = session.send('hello');
    session.leave();
    expect((await events).map(({ type }) => type)).toEqual(['dialling', 'welcomed', 'over']);
    await expect(message.done).rejects.toMatchObject({ code: 'session_over' });
    expect(await session.over).toMatchObject({ why: 'stopped' });
  });

  it('a client that resumes with a bookmark asks for the frames after it, and names their epoch', async () => {
    const first = packageScene();
    await first.dial(1);
    expect(first.session.bookmark).toBeNull();
    const socket = first.welcome();
    socket.say(started(2, 'm'));
    socket.say(delta(3, 'm', 'x', 2));
    const { bookmark } = first.session;
    first.session.leave();
    expect(bookmark).toEqual({ sessionId: SESSION, after: 3, epoch: 2 });
    const second = packageScene({ ...bookmark });
    const resumed = await second.dial(1);
    resumed.open();
    expect(resumed.sent[0]).toMatchObject({ type: 'hello', session_id: SESSION, after: 3, epoch: 2 });
    second.session.leave();
  });

  it('a client that names only a session asks for its whole conversation, unless it wants what is new', async () => {
    for (const [after, wanted] of [
      [undefined, 0],
      ['now', undefined],
    ] as const) {
      const { session, dial } = packageScene({ sessionId: SESSION, ...(after ? { after } : {}) });
      const socket = await dial(1);
      socket.open();
      expect(socket.sent[0]?.after).toBe(wanted);
      session.leave();
    }
  });

  it('a listener hears its type until it is removed, and a listener that throws silences no other', async () => {
    const { session, dial, welcome } = packageScene();
    const thrown = vi.spyOn(globalThis, 'queueMicrotask').mockImplementation(() => {});
    const texts: string[] = [];
    session.on('delta', () => {
      throw new Error('a bug of the program');
    });
    const off = session.on('delta', ({ text }) => texts.push(text));
    await dial(1);
    const socket = welcome();
    socket.say(started(2, 'm'));
    socket.say(delta(3, 'm', 'one'));
    off();
    socket.say(delta(4, 'm', 'two'));
    expect(texts).toEqual(['one']);
    expect(thrown).toHaveBeenCalledTimes(2);
    thrown.mockRestore();
    session.leave();
  });

  it('a platform without WebSocket gets an error that says what to pass', () => {
    vi.stubGlobal('WebSocket', undefined);
    // @ts-expect-error: the option is absent or a constructor.
    expect(() => packageScene({ WebSocket: undefined })).toThrow('this platform has no WebSocket: pass one');
    vi.unstubAllGlobals();
  });
});
