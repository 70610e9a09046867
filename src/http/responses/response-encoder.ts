/**
 * ResponseEncoder writes one turn as a Responses stream, after a number that the client has.
 *
 *  RESPENC-1  An event up to the number `after` is mapped, for later events build on it, but not written.
 *  RESPENC-2  Deltas that the log had at the start go as one event under the last number.
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
  /** Offset of the last frame that the log has. */
  readonly upTo: number;
}

const DONE = 'data: [DONE]\n\n';
/** A longer delta is written, so that no event grows without a bound. */
const MERGED_MAX = 32_768;
/** Rebuilt frames have no place in the log, and small numbers. */
const FIRST_NUMBER_OF_LOG = 16;

export class ResponseEncoder implements Encoder {
  readonly headers = {};
  readonly keepAlive = ': \n\n';
  readonly #replay: Replay;
  #stream: ResponseStream;
  #held: readonly ResponseEvent[] = [];
  #closing: readonly ResponseEvent[] = [];

  constructor(facts: ResponseFacts, replay: Replay = { after: 0, upTo: 0 }) {
    this.#stream = responseStreamOf(facts);
    this.#replay = replay;
  }

  frame(frame: TurnFrame): readonly string[] {
    const { stream, events } = takeFrame(this.#stream, frame);
    this.#stream = stream;
    if (stream.hasEnded) this.#closing = events;
    const { after, upTo } = this.#replay;
    const fresh = events.filter(({ sequence_number }) => sequence_number > after); // RESPENC-1
    const due = mergeDeltas([...this.#held, ...fresh]);
    const last = due.at(-1);
    const waits = frame.offset > 0 && frame.offset < upTo && last !== undefined && isMergeable(last);
    this.#held = waits ? due.slice(-1) : []; // RESPENC-2
    return (waits ? due.slice(0, -1) : due).map(textOfEvent);
  }

  end(result: TurnResult): readonly string[] {
    const rest = [...this.#held];
    this.#held = [];
    const { after } = this.#replay;
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
  const due = isLost
    ? renumbered(closing, after)
    : mergeDeltas(all.filter(({ sequence_number }) => sequence_number > after));
  for (const event of due) yield textOfEvent(event);
  yield DONE;
}

const renumbered = (events: readonly ResponseEvent[], after: number): readonly ResponseEvent[] =>
  events.map((event, index) => ({
    ...event,
    sequence_number: Math.max(event.sequence_number, after + 1 + index),
  }));

const isMergeable = (event: ResponseEvent): boolean =>
  isDelta(event) && 'delta' in event && event.delta.length < MERGED_MAX;
