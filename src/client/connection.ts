/**
 * One connection to one instance, from dialling to its end.
 *
 *  K1  The end is reported once, whoever caused it; a socket that ended says nothing more.
 *  K2  A connection that is not welcomed in time, or that went silent, is given up: a dead peer sends no close.
 *  K3  Only hello is sent before welcome.
 */

import type { Clock } from '../clock.ts';
import type { ClientFrame } from '../protocol/client-frames.ts';
import type { ServerFrame } from '../protocol/server-frames.ts';
import type { SocketLike } from './socket.ts';

export const WELCOME_DEADLINE_MS = 15_000;
/** After so much silence the server is asked for a sign of life; after twice as much it counts as dead. */
export const QUIET_MS = 15_000;
/** The close code for connections that this side gives up. Browsers allow no code below 3000 but 1000. */
const GIVEN_UP = 4000;

export interface ConnectionEnd {
  readonly code: number;
  readonly reason: string;
  readonly uptimeMs: number | null;
  /** HTTP status of an upgrade that the server refused; null where there was none, or in a browser, which hides it. */
  readonly refusedWith: number | null;
}

export interface ConnectionPorts {
  readonly clock: Clock;
  readonly hello: string;
  readonly onFrame: (frame: ServerFrame) => void;
  readonly onEnd: (end: ConnectionEnd) => void;
}

type Phase =
  | { readonly kind: 'greeting'; readonly cancelDeadline: () => void }
  | { readonly kind: 'open'; readonly sinceMs: number; cancelWatch: () => void }
  | { readonly kind: 'ended' };

export class Connection {
  readonly #ports: ConnectionPorts;
  readonly #socket: SocketLike;
  #phase: Phase;
  #heardMs: number;

  constructor(ports: ConnectionPorts, socket: SocketLike) {
    this.#ports = ports;
    this.#socket = socket;
    this.#heardMs = ports.clock.monotonicMs();
    const cancelDeadline = ports.clock.after(WELCOME_DEADLINE_MS, () => this.giveUp('no welcome'));
    this.#phase = { kind: 'greeting', cancelDeadline };
    socket.addEventListener('open', () => {
      if (this.#phase.kind === 'greeting') socket.send(ports.hello);
    });
    socket.addEventListener('message', ({ data }) => this.#receive(data));
    // Without a listener the socket of `ws` would throw. `close` follows, and has no reason of its own then.
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

  /** False where nothing can be sent now. */
  send(frame: ClientFrame): boolean {
    return this.sendText(JSON.stringify(frame));
  }

  sendText(data: string): boolean {
    if (this.#phase.kind !== 'open') return false;
    this.#socket.send(data);
    return true;
  }

  giveUp(reason: string): void {
    this.close(GIVEN_UP, reason);
  }

  close(code: number, reason: string): void {
    if (this.#phase.kind === 'ended') return;
    this.#socket.close(code, reason);
    // The socket's own close event would come only when the peer answers, and a dead one never does.
    this.#end(code, reason);
  }

  #receive(data: unknown): void {
    if (this.#phase.kind === 'ended') return;
    this.#heardMs = this.#ports.clock.monotonicMs();
    const frame = readFrame(data);
    if (frame === null) return this.giveUp('unreadable frame');
    if (frame.type === 'welcome' && this.#phase.kind === 'greeting') {
      this.#phase.cancelDeadline();
      this.#phase = { kind: 'open', sinceMs: this.#heardMs, cancelWatch: this.#watch() };
    }
    this.#ports.onFrame(frame);
  }

  #watch(): () => void {
    return this.#ports.clock.after(QUIET_MS, () => {
      if (this.#phase.kind !== 'open') return;
      const quietMs = this.#ports.clock.monotonicMs() - this.#heardMs;
      if (quietMs >= 2 * QUIET_MS) return this.giveUp('silent');
      if (quietMs >= QUIET_MS) this.send({ type: 'ping' });
      this.#phase.cancelWatch = this.#watch();
    });
  }

  #end(code: number, reason: string, refusedWith: number | null = null): void {
    const phase = this.#phase;
    if (phase.kind === 'ended') return;
    this.#phase = { kind: 'ended' };
    if (phase.kind === 'greeting') phase.cancelDeadline();
    else phase.cancelWatch();
    const uptimeMs = phase.kind === 'open' ? this.#ports.clock.monotonicMs() - phase.sinceMs : null;
    this.#ports.onEnd({ code, reason, uptimeMs, refusedWith });
  }
}

/** `ws` tells the status of a refused upgrade in its message alone. */
function statusIn(message: string): number | null {
  const status = /^Unexpected server response: (\d{3})$/.exec(message)?.[1];
  return status === undefined ? null : Number(status);
}

/** The server is trusted to keep to its schemas; only what could crash this client is looked at. */
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
