/** A scene runs a client's session; the test plays the server at its sockets and moves its clock. */

import type { SocketFailure, SocketLike } from '../../../src/client/connection.ts';
import type { ClientEvent, Session, SessionOptions } from '../../../src/client/session.ts';
import { openSession } from '../../../src/client/session-client.ts';
import { VirtualClock } from '../../support/actor/virtual-clock.ts';

export const SESSION = '6f1c2a9e-8a4e-4a57-9f0b-0d1f2c3b4a59';

/** The test plays the other end of this socket. */
export class FakeSocket {
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
    this.#emit('open', {});
  }

  say(frame: Record<string, unknown>): void {
    this.#emit('message', { data: JSON.stringify(frame) });
  }

  sayRaw(data: unknown): void {
    this.#emit('message', { data });
  }

  end(code: number, reason = ''): void {
    this.#emit('close', { code, reason });
  }

  fail(why: SocketFailure): void {
    this.#emit('error', why);
  }

  ofType(type: string): readonly Record<string, unknown>[] {
    return this.sent.filter((frame) => frame.type === type);
  }

  #emit(type: string, event: unknown): void {
    this.#listeners.get(type)?.(event as never);
  }
}

export interface Scene {
  readonly session: Session;
  readonly clock: VirtualClock;
  readonly sockets: readonly FakeSocket[];
  readonly events: readonly ClientEvent[];
  /** The newest socket. */
  readonly socket: () => FakeSocket;
  /** Opens the newest socket and sends welcome. */
  readonly greet: (welcome?: Record<string, unknown>) => FakeSocket;
  readonly last: <T extends ClientEvent['type']>(type: T) => Extract<ClientEvent, { type: T }> | undefined;
}

export function scene(options: Partial<SessionOptions> = {}): Scene {
  const clock = new VirtualClock(0);
  const sockets: FakeSocket[] = [];
  const events: ClientEvent[] = [];
  const session = openSession({
    urls: ['ws://one/v1/session'],
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

export const started = (offset: number, id: string, epoch = 1) => ({
  type: 'turn.started',
  offset,
  epoch,
  turn_id: `t-${id}`,
  message_id: id,
  queued: 0,
});
export const delta = (offset: number, id: string, text: string, epoch = 1) => ({
  type: 'delta',
  offset,
  epoch,
  turn_id: `t-${id}`,
  text,
});
