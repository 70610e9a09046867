/**
 * EventReader is a reader of a session over HTTP: to the session a client that only reads, to its client a stream of
 * server-sent events with the frames that a WebSocket would get.
 *
 *  EVENTREADER-1  The last `id` that a client has is the offset to resume after. `welcome` has one only if nothing is replayed
 *            before live frames; else a client that broke off would skip the replay. `reset` has one, because its offset
 *            replaces all earlier ones.
 *  EVENTREADER-2  Frames wait until the answer has begun, so that a refusal can have its own status.
 */
import { randomUUID } from 'node:crypto';
import type { ClientConnection } from '../../delivery/client-connection.ts';
import type { ErrorCode } from '../../errors.ts';
import type { ServerFrame } from '../../protocol/server-frames.ts';
import type { StreamSink } from '../core/answer.ts';
import { endEvent, eventText } from '../turns/encoder.ts';

export type ReaderEnd = ErrorCode | 'closed';

export class EventReader implements ClientConnection {
  readonly id = randomUUID();
  readonly standsAlone = true;
  readonly onlyReads = true;
  readonly ended: Promise<ReaderEnd>;
  readonly #replays: boolean;
  #resolveEnded: (code: ReaderEnd) => void = () => {};
  #isOpen = true;
  #held: string[] = [];
  #sink: StreamSink | null = null;

  /** `replays`: the client named the offset after which it reads. */
  constructor(replays: boolean) {
    this.#replays = replays;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  isOpen(): boolean {
    return this.#isOpen;
  }

  send(frames: readonly string[]): boolean {
    const text = frames.map((data) => this.#eventOf(data)).join('');
    if (this.#sink !== null) return this.#sink.write(text);
    this.#held.push(text);
    return true;
  }

  /** It sends nothing that could be refused. */
  refuse(): void {}

  end(code: ReaderEnd): void {
    this.#isOpen = false;
    this.#resolveEnded(code);
  }

  /** EVENTREADER-2 */
  begin(sink: StreamSink): void {
    this.#sink = sink;
    const text = this.#held.join('');
    this.#held = [];
    if (!sink.write(text)) this.end('slow_consumer');
  }

  /** As on a socket, the frames have told the end of the session, and a slow client could not read a reason. */
  writeEnd(code: ReaderEnd, retryAfterMs: () => number): void {
    if (code === 'closed' || code === 'session_expired' || code === 'slow_consumer') return;
    this.#sink?.write(endEvent(code, retryAfterMs));
  }

  #eventOf(data: string): string {
    const frame = frameIn(data);
    // The store has damaged it. The frames after it follow.
    if (frame === null) return eventText(null, 'unreadable', data.replaceAll(/\r\n|\r|\n/g, '\ndata: '));
    return eventText(this.#idOf(frame), frame.type, data);
  }

  /** EVENTREADER-1 */
  #idOf(frame: ServerFrame): number | null {
    if (!('offset' in frame)) return null;
    return frame.type === 'welcome' && this.#replays ? null : frame.offset;
  }
}

function frameIn(data: string): ServerFrame | null {
  try {
    return JSON.parse(data) as ServerFrame;
  } catch {
    return null;
  }
}
