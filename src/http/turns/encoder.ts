/** Encoder is how a route writes the frames of one turn as a stream, in the terms of its protocol. */
import { type ErrorCode, errorBody, errors } from '../../errors.ts';
import type { TurnFrame } from './own-turn.ts';
import type { TurnResult } from './turn-collector.ts';

export interface Encoder {
  /** Besides the content type of server-sent events. */
  readonly headers: Readonly<Record<string, string>>;
  /** The client's protocol ignores it. */
  readonly keepAlive: string;
  /** The pieces of text that this frame becomes. It gets the frames of one turn, in order. */
  frame(frame: TurnFrame): readonly string[];
  /** The last pieces. `result` is a refusal if the stream ends before its turn. */
  end(result: TurnResult): readonly string[];
}

export const SSE_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  // A proxy that buffers the answer would hold every frame back until the end.
  'x-accel-buffering': 'no',
} as const;

/** `offset` becomes the event's id; null: it has none. */
export const eventText = (offset: number | null, type: string, data: string): string =>
  `${offset === null ? '' : `id: ${offset}\n`}event: ${type}\ndata: ${data}\n\n`;

/** A browser's EventSource obeys `retry`; clients that parse the frames read `retry_after_ms`. */
export function endEvent(code: ErrorCode, retryAfterMs: () => number): string {
  const error = { type: 'error', ...errorBody(code) } as const;
  const { close } = errors[code];
  if (close !== 1012 && close !== 1013) return eventText(null, 'error', JSON.stringify(error));
  const ms = retryAfterMs();
  return `retry: ${ms}\n${eventText(null, 'error', JSON.stringify({ ...error, retry_after_ms: ms }))}`;
}

/** The last piece that a client has: the piece `index` of the frame at `offset`. */
export interface SeenPiece {
  readonly offset: number;
  /** Infinity: the client has the whole frame. */
  readonly index: number;
}

const SEEN = /^(\d{1,15})(?:\.(\d{1,6}))?$/;

/** Reads a `Last-Event-ID` of the form `offset` or `offset.index`; null if it is neither. */
export function seenPieceIn(lastEventId: string): SeenPiece | null {
  const [, offset, index] = SEEN.exec(lastEventId) ?? [];
  if (offset === undefined) return null;
  return { offset: Number(offset), index: index === undefined ? Number.POSITIVE_INFINITY : Number(index) };
}
