/**
 * UiEncoder writes one turn as a UI message stream, from a chunk on.
 *
 *  UIENC-1  A chunk before `from` is counted, not written.
 *  UIENC-2  A stream that ends before its turn breaks off. With a regular end, a page would take half an answer for the whole.
 *  UIENC-3  A reader whose next chunk cannot come gets an error and `finish`, so that it does not ask again and again.
 */
import { errorBody } from '../../errors.ts';
import { answerIdOf, runIdOf } from '../chats/chat-ids.ts';
import type { HttpAnswer, StreamSink } from '../core/answer.ts';
import type { Encoder } from '../turns/encoder.ts';
import type { TurnFrame } from '../turns/own-turn.ts';
import type { TurnResult } from '../turns/turn-collector.ts';
import { mergeTurn } from './merged-turn.ts';
import { type UiChunk, uiErrorText } from './ui-chunk.ts';
import { endWithError, takeFrame, takeFrames, type UiStream, uiStreamOf } from './ui-stream.ts';

const RUN_HEADER = 'x-workflow-run-id';
export const TAIL_HEADER = 'x-workflow-stream-tail-index';

const DONE = 'data: [DONE]\n\n';

export class UiEncoder implements Encoder {
  readonly headers: Readonly<Record<string, string>>;
  readonly keepAlive = ': \n\n';
  readonly #from: number;
  #stream: UiStream;
  #index = 0;
  /** Offset of the last frame that `#merged` has. */
  #mergedTo = 0;
  #merged: readonly UiChunk[] = [];
  #lastOffset = -1;
  #hasText = false;
  #isBroken = false;

  constructor(sessionId: string, turnId: string, from = 0) {
    this.#from = from;
    this.#stream = uiStreamOf(answerIdOf(turnId));
    this.headers = {
      'x-vercel-ai-ui-message-stream': 'v1',
      'cache-control': 'no-cache',
      [RUN_HEADER]: runIdOf(sessionId, turnId),
    };
  }

  /** An encoder for a page that has nothing of the turn: it gets the text so far in one delta. */
  static merged(sessionId: string, turnId: string, frames: readonly TurnFrame[]): UiEncoder {
    const encoder = new UiEncoder(sessionId, turnId);
    const { stream, chunks } = takeFrames(encoder.#stream, mergeTurn(frames));
    encoder.#stream = stream;
    encoder.#merged = chunks;
    encoder.#mergedTo = frames.at(-1)?.offset ?? 0;
    return encoder;
  }

  /** True once the stream has ended before its turn: then nothing may end it regularly. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  frame(frame: TurnFrame): readonly string[] {
    const merged = this.#merged;
    this.#merged = [];
    const known = frame.offset > 0 && frame.offset <= this.#mergedTo;
    const { stream, chunks } = known ? { stream: this.#stream, chunks: [] } : this.#take(frame);
    this.#stream = stream;
    return this.#written([...merged, ...chunks]);
  }

  end(result: TurnResult): readonly string[] {
    const isWhole = this.#stream.hasEnded;
    this.#isBroken = !isWhole && result.kind === 'refused'; // UIENC-2
    if (this.#isBroken) return [];
    const lost = isWhole ? [] : endWithError(this.#stream, LOST).chunks;
    const written = this.#written(lost);
    if (this.#index > this.#from) return [...written, DONE];
    const end = endWithError(uiStreamOf(this.#stream.messageId), LOST).chunks.slice(1); // UIENC-3
    return [...end.map(eventOf), DONE];
  }

  #take(frame: TurnFrame) {
    // The log has lost the turn, and its text comes in one piece: the chunks of the reader have other indexes.
    const isRebuilt = frame.type === 'delta' && frame.offset <= this.#lastOffset;
    this.#lastOffset = frame.offset;
    if (!isRebuilt || this.#from <= this.#index || this.#hasText) return takeFrame(this.#stream, frame);
    const lost = endWithError(this.#stream, LOST);
    this.#index = this.#from; // UIENC-3
    return lost;
  }

  #written(chunks: readonly UiChunk[]): readonly string[] {
    const first = this.#index;
    this.#index += chunks.length;
    this.#hasText ||= chunks.some(({ type }) => type === 'text-delta');
    return chunks.slice(Math.max(0, this.#from - first)).map(eventOf); // UIENC-1
  }
}

/** The answer of a stream that breaks off where its encoder says so. */
export function breakable(answer: HttpAnswer, encoder: UiEncoder): HttpAnswer {
  const { body } = answer;
  if (typeof body !== 'function') return answer;
  return {
    ...answer,
    body: (sink) => {
      const guarded: StreamSink = {
        write: (chunk) => sink.write(chunk),
        drained: () => sink.drained(),
        end: () => (encoder.isBroken ? sink.fail() : sink.end()),
        fail: () => sink.fail(),
      };
      body(guarded);
    },
  };
}

const LOST = uiErrorText(errorBody('stream_lost'));

const eventOf = (chunk: UiChunk): string => `data: ${JSON.stringify(chunk)}\n\n`;
