import { describe, expect, it } from 'vitest';
import { QUIET_MS, WELCOME_DEADLINE_MS } from '../../../src/client/connection.ts';
import { delta, SESSION, scene, started } from './client-scene.ts';

describe('a client that reconnects', () => {
  it('a client resumes after the last frame that it saw, and names that frame’s epoch', () => {
    const { greet, clock, socket } = scene({ clientId: 'me' });
    const first = greet({ epoch: 7 });
    expect(first.sent).toEqual([{ type: 'hello', client_id: 'me' }]);
    first.say(started(2, 'a', 7));
    first.say(delta(3, 'a', 'so far', 8));
    first.end(1006);
    clock.advance(50);
    socket().open();
    expect(socket().sent).toEqual([
      { type: 'hello', session_id: SESSION, after: 3, epoch: 8, client_id: 'me' },
    ]);
  });

  it('a client does not confuse the epoch of a later welcome with that of the frame it saw last', () => {
    const { greet, clock, socket } = scene();
    const first = greet({ epoch: 3 });
    first.say(started(2, 'a', 3));
    first.end(1006);
    clock.advance(50);
    greet({ epoch: 5, offset: 9 }).end(1006);
    clock.advance(5_000);
    socket().open();
    expect(socket().sent[0]).toMatchObject({ after: 2, epoch: 3 });
  });

  it('a client shows one text, however often the connection broke and the server repeated frames', () => {
    const { greet, clock, session } = scene();
    const first = greet();
    first.say(started(2, 'a'));
    first.say(delta(3, 'a', 'one '));
    first.end(1006);
    clock.advance(50);
    const second = greet({ offset: 5 });
    second.say(delta(3, 'a', 'one '));
    second.say(delta(4, 'a', 'two '));
    second.say(delta(5, 'a', 'three'));
    expect(session.conversation.turns).toMatchObject([
      { turnId: 't-a', messageId: 'a', text: 'one two three' },
    ]);
  });

  it('a client dials its urls in turn', () => {
    const { clock, sockets, socket } = scene({ urls: ['ws://one', 'ws://two', 'ws://three'] });
    for (let round = 0; round < 4; round += 1) {
      socket().end(1006);
      clock.advance(5_000);
    }
    expect(sockets.map(({ url }) => url)).toEqual([
      'ws://one',
      'ws://two',
      'ws://three',
      'ws://one',
      'ws://two',
    ]);
  });

  it('a client reports the lost address, the reason, the next address and the attempts since its last welcome', () => {
    const { greet, clock, sockets, last } = scene({ urls: ['ws://one', 'ws://two'] });
    greet().end(1012, 'draining');
    expect(last('lost')).toMatchObject({
      ...{ url: 'ws://one', code: 1012, reason: 'draining' },
      ...{ nextUrl: 'ws://two', attempt: 1 },
    });
    clock.advance(10_000);
    sockets[1]?.fail({ message: '', error: { code: 'ECONNREFUSED' } });
    sockets[1]?.end(1006);
    expect(last('lost')).toMatchObject({
      ...{ url: 'ws://two', code: 1006, reason: 'ECONNREFUSED' },
      ...{ nextUrl: 'ws://one', attempt: 2 },
    });
  });

  it('a client reports the new deadlines that answer its extend', () => {
    const { greet, last } = scene();
    const extended = { type: 'extended', expires_at: 5, absolute_expires_at: 9 } as const;
    greet().say(extended);
    expect(last('extended')?.extended).toEqual(extended);
  });

  it('a client waits as long as the last error frame asked for', () => {
    const { greet, clock, sockets, last } = scene();
    const first = greet();
    first.say({ type: 'error', code: 'draining', message: '', retryable: true, retry_after_ms: 1_234 });
    first.end(1012, 'draining');
    expect(last('lost')).toMatchObject({ code: 1012, retryInMs: 1_234 });
    clock.advance(1_233);
    expect(sockets).toHaveLength(1);
    clock.advance(1);
    expect(sockets).toHaveLength(2);
  });

  it('a client waits before it dials if the server limits its hello, but not if the server limits a message', () => {
    const often = {
      type: 'error',
      code: 'rate_limited',
      message: '',
      retryable: true,
      retry_after_ms: 30_000,
    };
    const { greet, socket, clock, last } = scene();
    greet().say({ ...often, message_id: 'm' });
    socket().end(1006);
    expect(last('lost')?.retryInMs).toBeLessThan(1_000);
    clock.advance(1_000);
    socket().open();
    socket().say(often);
    expect(last('lost')).toMatchObject({ reason: 'rate_limited', retryInMs: 30_000 });
  });

  it('a client backs off further from an instance that welcomes it and crashes', () => {
    const { greet, clock, events } = scene();
    for (let round = 0; round < 4; round += 1) {
      greet().end(1006);
      clock.advance(5_000);
    }
    const waits = events.flatMap((event) => (event.type === 'lost' ? [event.retryInMs] : []));
    expect(waits).toEqual([50, 100, 200, 400]);
  });

  it('a client gives up a connection without a welcome', () => {
    const { clock, socket, sockets } = scene();
    const first = socket();
    first.open();
    clock.advance(WELCOME_DEADLINE_MS + 5_000);
    expect(first.closedWith).toBe(4000);
    expect(sockets).toHaveLength(2);
  });

  it('a client pings a silent server, and leaves it without an answer', () => {
    const { greet, clock, sockets } = scene();
    const first = greet();
    clock.advance(QUIET_MS);
    expect(first.ofType('ping')).toHaveLength(1);
    first.say({ type: 'pong' });
    clock.advance(QUIET_MS);
    expect(first.closedWith).toBeNull();
    clock.advance(3 * QUIET_MS);
    expect(first.closedWith).toBe(4000);
    expect(sockets.length).toBeGreaterThan(1);
  });

  it('a client leaves a silent server on time although the wall clock was set back', () => {
    const { greet, clock } = scene();
    const first = greet();
    clock.set(-3_600_000);
    clock.advance(3 * QUIET_MS);
    expect(first.closedWith).toBe(4000);
  });

  it('a client ignores the frames of an old connection', () => {
    const { greet, clock, session, socket } = scene();
    const first = greet();
    first.say(delta(3, 'a', 'a gap'));
    clock.advance(50);
    first.say(started(2, 'a'));
    first.end(4001);
    expect(session.conversation.offset).toBe(1);
    expect(socket().closedWith).toBeNull();
  });

  it('a client dials again after a retryable refusal of its hello, and gives up after a final one', () => {
    const { socket, clock, sockets, last } = scene();
    socket().open();
    socket().say({ type: 'error', code: 'store_unavailable', message: '', retryable: true });
    clock.advance(5_000);
    expect(sockets).toHaveLength(2);
    socket().open();
    socket().say({ type: 'error', code: 'bad_frame', message: '', retryable: false });
    expect(last('over')).toMatchObject({ why: 'fatal', reason: 'bad_frame' });
  });
});

describe('the log as a client sees it', () => {
  it('a client reports a frame that the server left out, and asks for it again', () => {
    const { greet, clock, socket, last, session } = scene();
    const first = greet();
    first.say(started(2, 'a'));
    first.say(delta(4, 'a', 'too far'));
    expect(last('gap')).toEqual({ type: 'gap', expected: 3, got: 4 });
    expect(first.closedWith).toBe(4000);
    clock.advance(50);
    socket().open();
    expect(socket().sent[0]).toMatchObject({ after: 2 });
    expect(session.conversation.turns[0]?.text).toBe('');
  });

  it('a client that asks for no past begins after the head of the log', () => {
    const { greet, session } = scene({ sessionId: SESSION });
    const socket = greet({ offset: 70, resumed: true });
    expect(socket.sent[0]).toEqual({ type: 'hello', session_id: SESSION });
    socket.say(started(71, 'a'));
    expect(session.conversation.offset).toBe(71);
  });

  it('a reset replaces a client’s conversation, and the client resumes from its offset and epoch', () => {
    const { greet, session, last, clock } = scene();
    const socket = greet();
    socket.say(started(2, 'a'));
    socket.say({
      type: 'reset',
      reason: 'trimmed',
      offset: 90,
      epoch: 12,
      state: 'connected',
      transcript: [{ role: 'assistant', content: 'all of it', turn_id: 't-b', at: 0 }],
    });
    expect(last('reset')).toEqual({ type: 'reset', reason: 'trimmed' });
    expect(session.conversation.turns).toMatchObject([{ turnId: 't-b', text: 'all of it' }]);
    socket.end(1012);
    clock.advance(200);
    const next = greet({ offset: 90 });
    expect(next.sent[0]).toMatchObject({ after: 90, epoch: 12 });
    next.say(started(91, 'c'));
    expect(session.conversation.turns).toHaveLength(2);
    expect(session.conversation.offset).toBe(91);
  });

  it('a client drops its conversation when its session ended and a new one begins under its id', () => {
    const { greet, clock, session, last } = scene();
    const first = greet();
    first.say(started(2, 'a'));
    first.end(1006);
    clock.advance(50);
    const second = greet({ resumed: false, offset: 1, created_at: 9_000 });
    expect(last('reset')).toEqual({ type: 'reset', reason: 'fresh' });
    expect(session.conversation.turns).toEqual([]);
    second.say({ type: 'state', offset: 1, epoch: 1, value: 'connected', version: 0 });
    expect(session.conversation.offset).toBe(1);
  });

  it('a client starts over when another client began a new session under its id', () => {
    const { greet, clock, last, socket, sockets } = scene();
    const first = greet({ created_at: 1_000 });
    first.say(started(2, 'a'));
    first.end(1006);
    clock.advance(50);
    greet({ resumed: true, offset: 40, created_at: 9_000 });
    expect(last('reset')).toEqual({ type: 'reset', reason: 'fresh' });
    clock.advance(100);
    expect(sockets).toHaveLength(3);
    socket().open();
    expect(socket().sent[0]).toMatchObject({ session_id: SESSION, after: 0 });
  });
});
