import { describe, expect, it } from 'vitest';
import { QUIET_MS, WELCOME_DEADLINE_MS } from '../../../src/client/connection.ts';
import { delta, SESSION, scene, started } from '../../support/client-scene.ts';

describe('a session that reconnects', () => {
  it('asks for what follows the last frame it saw, and says under which epoch that was written', () => {
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

  it('does not take the epoch of a later welcome for that of the frame it saw last', () => {
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

  it('shows one text, however often the connection broke and frames came again', () => {
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

  it('tries its urls in turn', () => {
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

  it('says which address it lost and why, which it dials next, and counts the attempts since its last welcome', () => {
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

  it('waits as long as the last error frame asked for', () => {
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

  it('waits as long as it was asked to where its hello came too often, but not where a message did', () => {
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

  it('backs off further from an instance that greets and dies', () => {
    const { greet, clock, events } = scene();
    for (let round = 0; round < 4; round += 1) {
      greet().end(1006);
      clock.advance(5_000);
    }
    const waits = events.flatMap((event) => (event.type === 'lost' ? [event.retryInMs] : []));
    expect(waits).toEqual([50, 100, 200, 400]);
  });

  it('gives up a connection that is never welcomed', () => {
    const { clock, socket, sockets } = scene();
    const first = socket();
    first.open();
    clock.advance(WELCOME_DEADLINE_MS + 5_000);
    expect(first.closedWith).toBe(4000);
    expect(sockets).toHaveLength(2);
  });

  it('asks a silent server for a sign of life, and leaves one that gives none', () => {
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

  it('leaves a silent server as soon as ever where the wall clock is set back meanwhile', () => {
    const { greet, clock } = scene();
    const first = greet();
    clock.set(-3_600_000);
    clock.advance(3 * QUIET_MS);
    expect(first.closedWith).toBe(4000);
  });

  it('does not hear what an old connection still says', () => {
    const { greet, clock, session, socket } = scene();
    const first = greet();
    first.say(delta(3, 'a', 'a gap'));
    clock.advance(50);
    first.say(started(2, 'a'));
    first.end(4001);
    expect(session.conversation.offset).toBe(1);
    expect(socket().closedWith).toBeNull();
  });

  it('dials again where hello is refused for now, and gives up where it is refused for good', () => {
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

describe('the log of a session', () => {
  it('reports a frame that was left out and asks for it again', () => {
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

  it('begins after the head where nothing of the past was asked for', () => {
    const { greet, session } = scene({ sessionId: SESSION });
    const socket = greet({ offset: 70, resumed: true });
    expect(socket.sent[0]).toEqual({ type: 'hello', session_id: SESSION });
    socket.say(started(71, 'a'));
    expect(session.conversation.offset).toBe(71);
  });

  it('drops what it had on a reset, goes on from its offset, and comes back with its epoch', () => {
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

  it('drops what it had where its session ended meanwhile and a new one begins under its id', () => {
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

  it('starts over where somebody else began its session anew before it came back', () => {
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
