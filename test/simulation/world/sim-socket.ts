/**
 * SimSocket is one connection between a client and an instance, as in TCP: ordered, with a bounded buffer, and with an
 * end that one side may notice much later than the other.
 *
 *  SOCKET-1  The client receives the frames that the instance sent before the end, in order.
 *  SOCKET-2  Unread bytes count; beyond the bound a send is refused, as in uWebSockets.js.
 */
import { OPEN } from '../../../src/identity/caller.ts';
import { Connection, type ConnectionPorts } from '../../../src/transport/socket/connection.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimProcess } from './sim-process.ts';

export interface SocketPorts {
  readonly scheduler: Scheduler;
  readonly process: SimProcess;
  readonly connection: ConnectionPorts;
  readonly latencyMs: () => number;
  /** At the instance, as a frame leaves it. */
  readonly onSent: (frame: string) => void;
  readonly onFrame: (frame: string) => void;
  readonly onClose: (code: number, reason: string) => void;
}

const BUFFER_MAX = 3_000;
const ABNORMAL = 1006;
/** How long word of an end may need to other instances. */
const NEWS_MS = 100;

export class SimSocket {
  readonly #ports: SocketPorts;
  readonly connection: Connection;
  #open = true;
  #endedAt = 0;
  /** The client's side is gone: nothing more reaches it. */
  #left = false;
  #toServerAt = 0;
  #toClientAt = 0;
  #unread = 0;
  #stalledUntil = 0;

  constructor(ports: SocketPorts) {
    this.#ports = ports;
    this.connection = new Connection(ports.connection, {
      caller: OPEN,
      address: '192.0.2.1',
      send: (frames) => this.#send(frames),
      close: (code, reason) => this.#close(code, reason),
    });
  }

  get open(): boolean {
    return this.#open;
  }

  /** The instance may still take this connection for a living one, or did until just now. */
  get mayCount(): boolean {
    return this.#open || this.#ports.scheduler.now - this.#endedAt < NEWS_MS;
  }

  /** The client sends a frame. */
  say(frame: object): void {
    const bytes = new TextEncoder().encode(JSON.stringify(frame));
    const { scheduler, process } = this.#ports;
    this.#toServerAt = Math.max(this.#toServerAt, scheduler.now + this.#ports.latencyMs());
    process.io(this.#toServerAt - scheduler.now, () => {
      if (this.#open) this.connection.receive(bytes.buffer as ArrayBuffer);
    });
  }

  /** The client reads nothing until then. */
  stall(untilMs: number): void {
    this.#stalledUntil = untilMs;
  }

  /** The client leaves; the instance notices after `heardMs`. */
  leave(heardMs: number): void {
    this.#left = true;
    this.#ports.process.io(heardMs, () => {
      if (!this.#open) return;
      this.#end();
      this.connection.closed();
    });
  }

  /** The instance is gone. */
  breakOff(afterMs: number): void {
    this.#end();
    this.#tell(afterMs, () => this.#ports.onClose(ABNORMAL, ''));
  }

  #send(frames: readonly string[]): boolean {
    if (!this.#open || !this.#ports.process.alive) return true;
    for (const frame of frames) {
      if (this.#unread > BUFFER_MAX) return false;
      this.#unread += frame.length;
      this.#ports.onSent(frame);
      this.#tell(0, () => {
        this.#unread -= frame.length;
        this.#ports.onFrame(frame);
      });
    }
    return true;
  }

  #close(code: number, reason: string): void {
    if (!this.#open || !this.#ports.process.alive) return;
    this.#end();
    this.#tell(0, () => this.#ports.onClose(code, reason));
  }

  #end(): void {
    this.#open = false;
    this.#endedAt = this.#ports.scheduler.now;
  }

  #tell(extraMs: number, hear: () => void): void {
    const { scheduler, latencyMs } = this.#ports;
    const earliest = Math.max(this.#toClientAt, this.#stalledUntil, scheduler.now + latencyMs() + extraMs);
    this.#toClientAt = earliest;
    scheduler.after(earliest - scheduler.now, () => {
      if (!this.#left) hear();
    });
  }
}
