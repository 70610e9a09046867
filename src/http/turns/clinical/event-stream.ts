/**
 * Streams a turn as server-sent events: the frames of the WebSocket, with their offset as `id` for `Last-Event-ID`.
 * The stream ends with its turn. The turn goes on if the client disconnects.
 *
 *  STREAM-1  The answer starts after the session took the message, so a refusal has its own status.
 *  STREAM-2  The client gets each frame once, and none up to its `Last-Event-ID`.
 *  STREAM-3  A stream that ends before its turn says why, and when to reconnect if another instance can continue.
 */
import type { ServerFrame } from '../../../protocol/server-frames.ts';
import { type HttpAnswer, problem, type StreamSink } from '../../core/answer.ts';
import type { HttpPorts } from '../../core/ports.ts';
import { endEvent, eventText, SSE_HEADERS } from '../encoder.ts';
import { joinTurn } from '../join-turn.ts';
import type { Listener, TurnResult } from '../turn-collector.ts';
import type { TurnRequest } from '../turn-request.ts';
import { keepAlive } from '../turn-watch.ts';

/** `lastSeen` is the client's `Last-Event-ID`, or null. */
export async function streamTurn(
  ports: HttpPorts,
  requestId: string,
  turn: TurnRequest,
  lastSeen: number | null,
): Promise<HttpAnswer> {
  const events = new Events(lastSeen);
  const ended = joinTurn(ports, turn, () => events.listen());
  const result = await Promise.race([ended, events.taken]);
  if (result?.kind === 'refused') return problem(result.code, requestId);
  return {
    status: 200,
    headers: SSE_HEADERS,
    body: (sink) => {
      events.start(sink);
      const stopKeepAlive = keepAlive(ports.clock, sink, ': \n\n');
      ended
        .then((last) => events.sendEnd(last, turn.message.kind === 'listen', ports.retryAfterMs))
        .catch(turn.failed)
        .finally(() => {
          stopKeepAlive();
          sink.end();
        });
    },
  };
}

/** Writes frames as events; holds them back until the answer has started. */
class Events {
  /** Resolves once the session took the message or, if there is none, welcomed the client. */
  readonly taken: Promise<null>;
  readonly #lastSeen: number | null;
  #onTaken: () => void = () => {};
  #held: string[] = [];
  #sink: StreamSink | null = null;
  #attempts = 0;
  #isTaken = false;

  constructor(lastSeen: number | null) {
    this.#lastSeen = lastSeen;
    this.taken = new Promise((resolve) => {
      this.#onTaken = () => resolve(null);
    });
  }

  listen(): Listener {
    this.#attempts += 1;
    this.#held = [];
    const isReplay = this.#attempts > 1 && this.#lastSeen === null;
    return {
      onFrame: (data, frame) => {
        const isOfTheTurn = frame.type === 'turn.started' || frame.type === 'message.queued';
        // A replay starts at the first frame of the log, but a client without an offset wants this turn only.
        if (isReplay && !this.#isTaken && isOfTheTurn) this.#held = this.#held.slice(0, 1);
        return this.#write(data, frame);
      },
      onTaken: () => {
        this.#isTaken = true;
        this.#onTaken();
      },
    };
  }

  start(sink: StreamSink): void {
    this.#sink = sink;
    for (const event of this.#held) sink.write(event);
    this.#held = [];
  }

  sendEnd(result: TurnResult, hadNoMessage: boolean, retryAfterMs: () => number): void {
    if (result.kind !== 'refused') return;
    // A client that only resumed has seen the whole turn: no error.
    if (hadNoMessage && result.code === 'duplicate_message') return;
    this.#sink?.write(endEvent(result.code, retryAfterMs));
  }

  #write(data: string, frame: ServerFrame): boolean {
    const offset = offsetOf(frame);
    if (offset !== null && offset <= (this.#lastSeen ?? 0)) return true;
    const event = eventText(offset, frame.type, data);
    if (this.#sink !== null) return this.#sink.write(event);
    this.#held.push(event);
    return true;
  }
}

/** Only frames of the log have an offset of their own; `welcome` and `reset` name that of another frame. */
function offsetOf(frame: ServerFrame): number | null {
  return 'offset' in frame && frame.type !== 'welcome' && frame.type !== 'reset' ? frame.offset : null;
}
