import { describe, expect, it } from 'vitest';
import { QUIET_MS, WELCOME_DEADLINE_MS } from '../../src/client/link.ts';
import { FRAME_MAX_BYTES } from '../../src/client/outbox.ts';
import type { Session, SessionEvent, SessionOptions } from '../../src/client/session.ts';
import { openSession } from '../../src/client/session-client.ts';
import type { SocketLike } from '../../src/client/socket.ts';
import { MAX_FRAME_BYTES } from '../../src/protocol/client-frames.ts';
import type { Clock } from '../../src/session/clock.ts';

const SESSION = '6f1c2a9e-8a4e-4a57-9f0b-0d1f2c3b4a59';
const URL = 'ws://one/v1/session';

/** A socket whose other end is the test. */
class FakeSocket {
  readonly url: string;
  readonly sent: Record<string, unknown>[] = [];
  closedWith: number | null = null;
  readonly #listeners = new Map<string, (event: never) => void>();

  constructor(url: string) {
    this.url = url;
  }

  get like(): SocketLike {
    return {
      send: (data) => void this.sent.push(JSON.parse(data)),
      close: (code = 1000) => {
        this.closedWith = code;
      },
      addEventListener: (type: string, listener: (event: never) => void) => {
        this.#listeners.set(type, listener);
      },
    };
  }

  open(): void {
    this.#tell('open', {});
  }

  say(frame: Record<string, unknown>): void {
    this.#tell('message', { data: JSON.stringify(frame) });
  }

  sayRaw(data: unknown): void {
    this.#tell('message', { data });
  }

  end(code: number, reason = ''): void {
    this.#tell('close', { code, reason });
  }

  ofType(type: string): readonly Record<string, unknown>[] {
    return this.sent.filter((frame) => frame.type === type);
  }

  #tell(type: string, event: unknown): void {
    this.#listeners.get(type)?.(event as never);
  }
}

class FakeClock implements Clock {
  /** By how much somebody set the date. */
  setByMs = 0;
  #nowMs = 0;
  #tasks: { readonly atMs: number; readonly task: () => void }[] = [];

  now(): number {
    return this.#nowMs + this.setByMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, task: () => void): () => void {
    const entry = { atMs: this.#nowMs + delayMs, task };
    this.#tasks.push(entry);
    return () => {
      this.#tasks = this.#tasks.filter((other) => other !== entry);
    };
  }

  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const [next] = this.#tasks.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.#tasks = this.#tasks.filter((other) => other !== next);
      this.#nowMs = next.atMs;
      next.task();
    }
    this.#nowMs = untilMs;
  }

  get pending(): number {
    return this.#tasks.length;
  }
}

interface Scene {
  readonly session: Session;
  readonly clock: FakeClock;
  readonly sockets: readonly FakeSocket[];
  readonly events: readonly SessionEvent[];
  /** The newest socket. */
  readonly socket: () => FakeSocket;
  /** Brings the newest socket to welcome. */
  readonly greet: (welcome?: Record<string, unknown>) => FakeSocket;
  readonly last: <T extends SessionEvent['type']>(type: T) => Extract<SessionEvent, { type: T }> | undefined;
}

function scene(options: Partial<SessionOptions> = {}): Scene {
  const clock = new FakeClock();
  const sockets: FakeSocket[] = [];
  const events: SessionEvent[] = [];
  const session = openSession({
    urls: [URL],
    connect: (url) => {
      const socket = new FakeSocket(url);
      sockets.push(socket);
      return socket.like;
    },
    onEvent: (event) => events.push(event),
    clock,
    random: () => 0.5,
    ...options,
  });
  const socket = (): FakeSocket => sockets.at(-1)!;
  clock.advance(0);
  return {
    session,
    clock,
    sockets,
    events,
    socket,
    greet(welcome = {}) {
      socket().open();
      socket().say({
        type: 'welcome',
        session_id: SESSION,
        resumed: sockets.length > 1,
        state: 'connected',
        offset: 1,
        epoch: 1,
        created_at: 1_000,
        expires_at: 2_000,
        absolute_expires_at: 3_000,
        instance: 'one',
        ...welcome,
      });
      return socket();
    },
    last: (type) => events.findLast((event) => event.type === type) as never,
  };
}

const started = (offset: number, id: string, epoch = 1) => ({
  type: 'turn.started',
  offset,
  epoch,
  turn_id: `t-${id}`,
  message_id: id,
  queued: 0,
});
const delta = (offset: number, id: string, text: string, epoch = 1) => ({
  type: 'delta',
  offset,
  epoch,
  turn_id: `t-${id}`,
  text,
});

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
    clock.setByMs = -3_600_000;
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

describe('messages of a session', () => {
  it('go out with the first welcome where they were said before', () => {
    const { greet, session } = scene();
    const id = session.send('early', { policy: 'reject', options: { max_tokens: 5 } });
    expect(greet().sent.slice(1)).toEqual([
      { type: 'message', id, content: 'early', policy: 'reject', options: { max_tokens: 5 } },
    ]);
  });

  it('are said again with the same id until the server has decided, and in order', () => {
    const { greet, clock, session } = scene();
    const first = greet();
    const ids = ['begun', 'queued', 'refused', 'in doubt', 'unheard'].map((content) => session.send(content));
    const [begun, queued, refusedId, inDoubt, unheard] = ids as [string, string, string, string, string];
    first.say(started(2, begun));
    first.say({ type: 'message.queued', offset: 3, epoch: 1, message_id: queued, position: 1 });
    const error = { type: 'error', message: '', retryable: true };
    first.say({ ...error, code: 'queue_full', message_id: refusedId });
    expect(session.unacknowledged).toEqual([inDoubt, unheard]);
    first.say({ ...error, code: 'store_unavailable', message_id: inDoubt });
    expect(first.closedWith).toBe(4000);
    clock.advance(5_000);
    const second = greet({ offset: 3 });
    expect(second.ofType('message').map(({ id }) => id)).toEqual([inDoubt, unheard]);
  });

  it('are settled by duplicate_message: their frames are in the log', () => {
    const { greet, clock, session } = scene();
    const first = greet();
    const id = session.send('once');
    first.end(1006);
    clock.advance(50);
    const second = greet();
    expect(second.ofType('message')).toHaveLength(1);
    second.say({ type: 'error', code: 'duplicate_message', message: '', retryable: false, message_id: id });
    expect(session.unacknowledged).toEqual([]);
    second.end(1006);
    clock.advance(5_000);
    expect(greet().ofType('message')).toEqual([]);
  });

  it('are settled together where they were merged into one turn', () => {
    const { greet, session } = scene();
    const socket = greet();
    const ids = [session.send('one'), session.send('two')];
    socket.say({ ...started(2, ids[1]!), message_ids: ids });
    expect(session.unacknowledged).toEqual([]);
  });

  it('are refused here where no server would take them', () => {
    expect(FRAME_MAX_BYTES).toBe(MAX_FRAME_BYTES);
    const { session } = scene();
    expect(() => session.send('ü'.repeat(FRAME_MAX_BYTES / 2))).toThrow(RangeError);
    expect(session.unacknowledged).toEqual([]);
  });
});

describe('the end of a session', () => {
  const cases: readonly (readonly [number, string, string])[] = [
    [4011, '', 'ended'],
    [1000, 'closed', 'ended'],
    [4009, '', 'replaced'],
    [4001, '', 'fatal'],
    [4003, '', 'fatal'],
    [1008, '', 'fatal'],
    [1009, '', 'fatal'],
  ];
  it.each(cases)('after close code %i %s nothing is dialled any more: %s (%s)', (code, reason, why) => {
    const { greet, clock, last, sockets } = scene();
    greet().end(code, reason);
    clock.advance(3_600_000);
    expect(last('over')).toMatchObject({ why, code });
    expect(sockets).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it.each([1000, 1001, 1006, 1011, 1012, 1013, 4008, 4010])('close code %i is not the end', (code) => {
    const { greet, clock, sockets } = scene();
    greet().end(code);
    clock.advance(5_000);
    expect(sockets).toHaveLength(2);
  });

  it('is asked for again where the connection broke before the server agreed', () => {
    const { greet, clock, session, last } = scene();
    const first = greet();
    session.close();
    expect(first.ofType('close')).toHaveLength(1);
    first.end(1006);
    clock.advance(50);
    const second = greet();
    expect(second.ofType('close')).toHaveLength(1);
    second.end(1000, 'closed');
    expect(last('over')).toMatchObject({ why: 'ended' });
  });

  it('is known from the last frame of the log, even where the close code is lost', () => {
    const { greet, last } = scene();
    const socket = greet();
    socket.say({ type: 'expired', offset: 2, epoch: 1, reason: 'idle' });
    socket.end(1006);
    expect(last('over')).toMatchObject({ why: 'ended' });
  });

  it('leaves at once on stop, connected or waiting, and says so once', () => {
    const connected = scene();
    const socket = connected.greet();
    connected.session.stop();
    connected.session.stop();
    socket.end(1000);
    expect(socket.closedWith).toBe(1000);
    const waiting = scene();
    waiting.socket().end(1006);
    waiting.session.stop();
    for (const { clock, events, sockets } of [connected, waiting]) {
      clock.advance(60_000);
      expect(sockets).toHaveLength(1);
      expect(events.filter(({ type }) => type === 'over')).toHaveLength(1);
    }
  });

  it('is a fatal one where the address is none', () => {
    const { last } = scene({
      connect: () => {
        throw new SyntaxError('Invalid URL: nowhere');
      },
    });
    expect(last('over')).toMatchObject({ why: 'fatal', reason: 'Invalid URL: nowhere' });
  });

  it('does not come from a frame that cannot be read', () => {
    const { greet, clock, sockets } = scene();
    const socket = greet();
    socket.sayRaw('{"type":');
    clock.advance(50);
    expect(socket.closedWith).toBe(4000);
    expect(sockets).toHaveLength(2);
  });
});
