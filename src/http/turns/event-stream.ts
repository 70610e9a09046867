/**
 * A turn as server-sent events: the frames of the WebSocket, `id` is the offset, so that `Last-Event-ID` resumes.
 * The stream ends with its turn. A client that goes away leaves the turn running.
 *
 *  E1  Nothing is answered before the session took the message: a refusal has its own status, with or without a stream.
 *  E2  A frame that the client has seen, by its `Last-Event-ID`, is not said again; none is said twice.
 *  E3  A stream that ends before its turn does says why, and when to come back where another instance can go on.
 */
import { type ErrorCode, errorBody, errors } from '../../errors.ts';
import type { ServerFrame } from '../../protocol/server-frames.ts';
import { type HttpAnswer, problem, type StreamSink } from '../core/answer.ts';
import { joinTurn, type ProtocolPorts, type TurnRequest } from './join-turn.ts';
import type { Listener, TurnResult } from './turn-collector.ts';

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  // Proxies that gather an answer before passing it on would make a stream of it no more.
  'x-accel-buffering': 'no',
};
/** Shorter than the silence after which this server, or a proxy, takes the connection for dead. */
const SIGN_OF_LIFE_MS = 5_000;

/** `lastSeen` is the client's `Last-Event-ID`, null where it has seen nothing. */
export async function streamTurn(
  ports: ProtocolPorts,
  requestId: string,
  visit: TurnRequest,
  lastSeen: number | null,
): Promise<HttpAnswer> {
  const events = new Events(lastSeen);
  const ended = joinTurn(ports, visit, () => events.listen());
  const result = await Promise.race([ended, events.taken]);
  if (result?.kind === 'refused') return problem(result.code, requestId);
  return {
    status: 200,
    headers: HEADERS,
    body: (sink) => {
      events.flow(sink);
      const { clock } = ports.services;
      let stopSigns = () => {};
      const sign = () => {
        sink.write(': \n\n');
        stopSigns = clock.after(SIGN_OF_LIFE_MS, sign);
      };
      stopSigns = clock.after(SIGN_OF_LIFE_MS, sign);
      ended
        .then((last) => events.sendEnd(last, visit.message.kind === 'listen', ports.retryAfterMs))
        .catch(visit.failed)
        .finally(() => {
          stopSigns();
          sink.end();
        });
    },
  };
}

/** Frames as events: kept until the answer has begun, then written as they come. */
class Events {
  /** Resolves once the session took the message, or has welcomed who only listens. */
  readonly taken: Promise<null>;
  readonly #lastSeen: number | null;
  #onTaken: () => void = () => {};
  #kept: string[] = [];
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
    this.#kept = [];
    const isReplay = this.#attempts > 1 && this.#lastSeen === null;
    return {
      onFrame: (data, frame) => {
        const isOfTheTurn = frame.type === 'turn.started' || frame.type === 'message.queued';
        // A replay without an offset of the client's is of this turn, not of the session's whole life.
        if (isReplay && !this.#isTaken && isOfTheTurn) this.#kept = this.#kept.slice(0, 1);
        return this.#write(data, frame);
      },
      onTaken: () => {
        this.#isTaken = true;
        this.#onTaken();
      },
    };
  }

  flow(sink: StreamSink): void {
    this.#sink = sink;
    for (const event of this.#kept) sink.write(event);
    this.#kept = [];
  }

  sendEnd(result: TurnResult, listened: boolean, retryAfterMs: () => number): void {
    if (result.kind !== 'refused') return;
    // Who only listened is told nothing wrong where there was nothing to listen to any more.
    if (listened && result.code === 'duplicate_message') return;
    this.#sink?.write(endOf(result.code, retryAfterMs));
  }

  #write(data: string, frame: ServerFrame): boolean {
    const offset = offsetOf(frame);
    if (offset !== null && offset <= (this.#lastSeen ?? 0)) return true;
    const event = eventOf(offset, frame.type, data);
    if (this.#sink !== null) return this.#sink.write(event);
    this.#kept.push(event);
    return true;
  }
}

const eventOf = (offset: number | null, type: string, data: string): string =>
  `${offset === null ? '' : `id: ${offset}\n`}event: ${type}\ndata: ${data}\n\n`;

/** `retry` is what a browser's EventSource goes by, `retry_after_ms` what a client reads that knows the frames. */
function endOf(code: ErrorCode, retryAfterMs: () => number): string {
  const error = { type: 'error', ...errorBody(code) } as const;
  const { close } = errors[code];
  if (close !== 1012 && close !== 1013) return eventOf(null, 'error', JSON.stringify(error));
  const ms = retryAfterMs();
  return `retry: ${ms}\n${eventOf(null, 'error', JSON.stringify({ ...error, retry_after_ms: ms }))}`;
}

function offsetOf(frame: ServerFrame): number | null {
  switch (frame.type) {
    case 'welcome':
    case 'reset':
    case 'error':
    case 'pong':
      return null;
    default:
      return frame.offset;
  }
}
