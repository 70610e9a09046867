/**
 * ResponseEncoder writes one turn as a Responses stream, after a number that the client has.
 *
 *  RESPENC-1  An event up to the number `after` is mapped, for later events build on it, but not written.
 *  RESPENC-2  After a number, the deltas that the log had go as one event under the last number. Without one, each goes under
 *              its own: OpenAI's helper reads the whole replay and drops what it has by the numbers. Only a replay of very
 *              many events is merged all the same, for the client keeps a bounded number of unread ones.
 *  RESPENC-3  A stream that ends before its turn says so with `error`: half an answer must not look like the whole.
 *  RESPENC-4  A reader whose next events the log has lost gets the closing events, which carry the whole text.
 */
import { errorBody } from '../../errors.ts';
import type { Encoder } from '../turns/encoder.ts';
import type { TurnFrame } from '../turns/own-turn.ts';
import type { TurnResult } from '../turns/turn-collector.ts';
import { isDelta, mergeDeltas, type ResponseEvent, textOfEvent } from './response-event.ts';
import type { ResponseFacts } from './response-object.ts';
import { breakOff, type ResponseStream, responseStreamOf, takeFrame } from './response-stream.ts';

export interface Replay {
  /** The number of the last event that the client has. */
  readonly after: number;
  /** The frames that the log has. */
  readonly frames: readonly TurnFrame[];
}

const DONE = 'data: [DONE]\n\n';
/** A longer delta is written, so that no event grows without a bound. */
const MERGED_MAX = 32_768;
/** OpenAI's client fails with 4,096 unread events. */
const UNMERGED_MAX = 3_000;
/** Rebuilt frames have no place in the log, and small numbers. */
const FIRST_NUMBER_OF_LOG = 16;

export class ResponseEncoder implements Encoder {
  readonly headers = {};
  readonly keepAlive = ': \n\n';
  readonly #after: number;
  /** An offset. */
  readonly #mergesUpTo: number;
  #stream: ResponseStream;
  #held: readonly ResponseEvent[] = [];
  #closing: readonly ResponseEvent[] = [];

  constructor(facts: ResponseFacts, { after, frames }: Replay = { after: 0, frames: [] }) {
    this.#stream = responseStreamOf(facts);
    this.#after = after;
    this.#mergesUpTo = isMerged(after, frames) ? (frames.at(-1)?.offset ?? 0) : 0;
  }

  frame(frame: TurnFrame): readonly string[] {
    const { stream, events } = takeFrame(this.#stream, frame);
    this.#stream = stream;
    if (stream.hasEnded) this.#closing = events;
    const fresh = events.filter(({ sequence_number }) => sequence_number > this.#after); // RESPENC-1
    const due = mergeDeltas([...this.#held, ...fresh]);
    const last = due.at(-1);
    const waits =
      frame.offset > 0 && frame.offset < this.#mergesUpTo && last !== undefined && isMergeable(last);
    this.#held = waits ? due.slice(-1) : []; // RESPENC-2
    return (waits ? due.slice(0, -1) : due).map(textOfEvent);
  }

  end(result: TurnResult): readonly string[] {
    const rest = [...this.#held];
    this.#held = [];
    const after = this.#after;
    if (!this.#stream.hasEnded && result.kind === 'refused') {
      const { stream, events } = breakOff(this.#stream, errorBody(result.code)); // RESPENC-3
      this.#stream = stream;
      rest.push(...events);
    } else if (after >= FIRST_NUMBER_OF_LOG && this.#stream.last < FIRST_NUMBER_OF_LOG)
      rest.push(...renumbered(this.#closing, after)); // RESPENC-4
    return [...rest.map(textOfEvent), DONE];
  }
}

/** The events of a turn that has ended. `isRebuilt`: the log has lost its beginning. */
export function* endedStream(
  facts: ResponseFacts,
  frames: readonly TurnFrame[],
  isRebuilt: boolean,
  after: number,
): Generator<string> {
  let stream = responseStreamOf(facts);
  const all: ResponseEvent[] = [];
  let closing: readonly ResponseEvent[] = [];
  for (const frame of frames) {
    const step = takeFrame(stream, frame);
    stream = step.stream;
    all.push(...step.events);
    closing = step.events;
  }
  const isLost = isRebuilt && after >= FIRST_NUMBER_OF_LOG;
  const rest = all.filter(({ sequence_number }) => sequence_number > after);
  const merged = isMerged(after, frames) ? mergeDeltas(rest) : rest;
  for (const event of isLost ? renumbered(closing, after) : merged) yield textOfEvent(event);
  yield DONE;
}

const isMerged = (after: number, frames: readonly TurnFrame[]): boolean =>
  after > 0 || frames.length > UNMERGED_MAX;

const renumbered = (events: readonly ResponseEvent[], after: number): readonly ResponseEvent[] =>
  events.map((event, index) => ({
    ...event,
    sequence_number: Math.max(event.sequence_number, after + 1 + index),
  }));

const isMergeable = (event: ResponseEvent): boolean =>
  isDelta(event) && 'delta' in event && event.delta.length < MERGED_MAX;
