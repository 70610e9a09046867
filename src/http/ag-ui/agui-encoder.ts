/**
 * AgUiEncoder writes one turn as the events of an AG-UI run.
 *
 *  AGUIENC-1  The id of an event is `offset.index`, the same on every instance: clients resume after it, and drop an event
 *             whose id they have. Events of a turn that the log has lost have no id.
 *  AGUIENC-2  A stream that ends before its turn breaks off if a later request can get the rest: stock clients repair a
 *             broken stream, and take a regular end for the end of the run.
 */
import { type ErrorCode, errorBody, errors } from '../../errors.ts';
import type { HttpAnswer } from '../core/answer.ts';
import type { Encoder } from '../turns/encoder.ts';
import type { TurnFrame } from '../turns/own-turn.ts';
import type { TurnResult } from '../turns/turn-collector.ts';
import type { AgUiEvent, ShownState } from './agui-event.ts';
import { type AgUiRun, agUiStreamOf, closeStream, stateEvent, takeFrame } from './agui-stream.ts';

export class AgUiEncoder implements Encoder {
  readonly headers = {};
  readonly keepAlive = ': \n\n';
  #stream;
  #lastOffset = 0;
  /** The place of the next event of the last frame; null: its events have no ids. */
  #next: number | null = null;
  #lost: ErrorCode | null = null;

  constructor(run: AgUiRun) {
    this.#stream = agUiStreamOf(run);
  }

  frame(frame: TurnFrame): readonly string[] {
    const { stream, events } = takeFrame(this.#stream, frame);
    this.#stream = stream;
    this.#next = frame.offset > this.#lastOffset ? 0 : null;
    this.#lastOffset = frame.offset;
    return events.map((event) => this.#written(event));
  }

  /** The end of the run follows in `last`. */
  end(result: TurnResult): readonly string[] {
    if (this.#stream.end === null) this.#lost = result.kind === 'refused' ? result.code : 'stream_lost';
    return [];
  }

  /** AGUIENC-2 */
  get isBroken(): boolean {
    return this.#lost !== null && this.#lost !== 'stream_lost' && errors[this.#lost].retryable;
  }

  /** The last events; `state` is that of the session now. */
  last(state: ShownState | null): readonly string[] {
    const { end, run } = this.#stream;
    const states = state === null ? [] : [stateEvent(run, state)];
    if (end !== null) return [...states, end].map((event) => this.#written(event));
    this.#next = null;
    // The session took no second message of this id, but its log has none of the first.
    const { code, message } = errorBody(
      this.#lost === null || this.#lost === 'duplicate_message' ? 'stream_lost' : this.#lost,
    );
    const closed = closeStream(this.#stream).events;
    return [...closed, { type: 'RUN_ERROR', message, code } as const].map((event) => this.#written(event));
  }

  /** AGUIENC-1 */
  #written(event: AgUiEvent): string {
    const data = `data: ${JSON.stringify(event)}\n\n`;
    if (this.#next === null) return data;
    this.#next += 1;
    return `id: ${this.#lastOffset}.${this.#next - 1}\n${data}`;
  }
}

/** The answer with the end of its run, or one that breaks off where its encoder says so. */
export function untilRunEnds(
  answer: HttpAnswer,
  encoder: AgUiEncoder,
  stateNow: () => Promise<ShownState | null>,
): HttpAnswer {
  const { body } = answer;
  if (typeof body !== 'function') return answer;
  return {
    ...answer,
    body: (sink) =>
      body({
        write: (chunk) => sink.write(chunk),
        drained: () => sink.drained(),
        fail: () => sink.fail(),
        end() {
          if (encoder.isBroken) sink.fail();
          else
            void stateNow()
              // Without the state the run must still end.
              .catch(() => null)
              .then((state) => {
                sink.write(encoder.last(state).join(''));
                sink.end();
              });
        },
      }),
  };
}
