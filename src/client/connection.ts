/**
 * Connection is one WebSocket to one instance, from the dial to its end.
 *
 *  DIAL-1  A connection reports its end once; its socket reports nothing afterwards.
 *  DIAL-2  A connection without a welcome, or with a silent server, ends after a deadline: a dead peer sends no close.
 *  DIAL-3  The client sends only `hello` before the welcome.
 */
import type { ClientClock } from './client-clock.ts';
import type { ClientFrame, ServerFrame } from './wire.ts';

/** The part of a WebSocket that a client needs. Browsers and `ws` both provide it. */
export interface SocketLike {
  send(data: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'open', listener: () => void): void;
  addEventListener(type: 'error', listener: (event: SocketFailure) => void): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(
    type: 'close',
    listener: (event: { readonly code: number; readonly reason: string }) => void,
  ): void;
}

/** `ws` gives the cause; a browser does not. */
export interface SocketFailure {
  readonly message?: string;
  readonly error?: { readonly code?: unknown };
}

export type Connect = (url: string) => SocketLike;

export const WELCOME_DEADLINE_MS = 15_000;
/** After this silence the client sends a ping; after twice this silence the server counts as dead. */
export const QUIET_MS = 15_000;
/** Closes a connection from this side. Browsers allow 1000 and no other code below 3000. */
const GIVEN_UP = 4000;

export interface ConnectionEnd {
  readonly code: number;
  readonly reason: string;
  /** How long the connection lasted after its welcome; null if it had none. */
  readonly uptimeMs: number | null;
  /** HTTP status of a refused upgrade; null if there was none, or in a browser, which hides it. */
  readonly refusedWith: number | null;
}

export interface ConnectionPorts {
  readonly clock: ClientClock;
  readonly hello: string;
  readonly onFrame: (frame: ServerFrame) => void;
  readonly onEnd: (end: ConnectionEnd) => void;
}

type ConnectionPhase =
  | { readonly kind: 'greeting'; readonly cancelDeadline: () => void }
  | { readonly kind: 'open'; readonly sinceMs: number; cancelWatch: () => void }
  | { readonly kind: 'ended' };

export class Connection {
  readonly #ports: ConnectionPorts;
  readonly #socket: SocketLike;
  #phase: ConnectionPhase;
  #receivedMs: number;

  constructor(ports: ConnectionPorts, socket: SocketLike) {
    this.#ports = ports;
    this.#socket = socket;
    this.#receivedMs = ports.clock.monotonicMs();
    const cancelDeadline = ports.clock.after(WELCOME_DEADLINE_MS, () => this.giveUp('no welcome'));
    this.#phase = { kind: 'greeting', cancelDeadline };
    socket.addEventListener('open', () => {
      if (this.#phase.kind === 'greeting') socket.send(ports.hello);
    });
    socket.addEventListener('message', ({ data }) => this.#receive(data));
    // Without a listener the socket of `ws` would throw. `close` follows, and then has no reason of its own.
    let failure = '';
    let refusedWith: number | null = null;
    socket.addEventListener('error', ({ message, error }) => {
      failure = String(error?.code ?? message ?? '');
      refusedWith = statusIn(message ?? '');
    });
    socket.addEventListener('close', ({ code, reason }) =>
      this.#end(code, reason === '' ? failure : reason, refusedWith),
    );
  }

  get isOpen(): boolean {
    return this.#phase.kind === 'open';
  }

  /** False if the connection cannot send now. */
  send(frame: ClientFrame): boolean {
    return this.sendText(JSON.stringify(frame));
  }

  sendText(data: string): boolean {
    if (this.#phase.kind !== 'open') return false; // DIAL-3
    this.#socket.send(data);
    return true;
  }

  /** Answers the refusal of a hello with another one. */
  greetAgain(hello: string): void {
    if (this.#phase.kind === 'greeting') this.#socket.send(hello);
  }

  giveUp(reason: string): void {
    this.close(GIVEN_UP, reason);
  }

  close(code: number, reason: string): void {
    if (this.#phase.kind === 'ended') return;
    this.#socket.close(code, reason);
    // The socket's own close event waits for the peer's answer, and a dead peer sends none.
    this.#end(code, reason);
  }

  #receive(data: unknown): void {
    if (this.#phase.kind === 'ended') return;
    this.#receivedMs = this.#ports.clock.monotonicMs();
    const frame = readFrame(data);
    if (frame === null) return this.giveUp('unreadable frame');
    if (frame.type === 'welcome' && this.#phase.kind === 'greeting') {
      this.#phase.cancelDeadline();
      this.#phase = { kind: 'open', sinceMs: this.#receivedMs, cancelWatch: this.#watch() };
    }
    this.#ports.onFrame(frame);
  }

  #watch(): () => void {
    return this.#ports.clock.after(QUIET_MS, () => {
      if (this.#phase.kind !== 'open') return;
      const quietMs = this.#ports.clock.monotonicMs() - this.#receivedMs;
      if (quietMs >= 2 * QUIET_MS) return this.giveUp('silent'); // DIAL-2
      if (quietMs >= QUIET_MS) this.send({ type: 'ping' });
      this.#phase.cancelWatch = this.#watch();
    });
  }

  #end(code: number, reason: string, refusedWith: number | null = null): void {
    const phase = this.#phase;
    if (phase.kind === 'ended') return; // DIAL-1
    this.#phase = { kind: 'ended' };
    if (phase.kind === 'greeting') phase.cancelDeadline();
    else phase.cancelWatch();
    const uptimeMs = phase.kind === 'open' ? this.#ports.clock.monotonicMs() - phase.sinceMs : null;
    this.#ports.onEnd({ code, reason, uptimeMs, refusedWith });
  }
}

/** `ws` gives the status of a refused upgrade only in its message. */
function statusIn(message: string): number | null {
  const status = /^Unexpected server response: (\d{3})$/.exec(message)?.[1];
  return status === undefined ? null : Number(status);
}

/** Checks only what could crash this client: it trusts the server to follow the schemas. */
function readFrame(data: unknown): ServerFrame | null {
  if (typeof data !== 'string') return null;
  try {
    const frame: unknown = JSON.parse(data);
    const named = typeof frame === 'object' && frame !== null && 'type' in frame;
    return named && typeof frame.type === 'string' ? (frame as ServerFrame) : null;
  } catch {
    return null;
  }
}
