/** Describes the stored state of a session without a word of its conversation, for comparison with a replayed history. */
import type { QueuedMessage, SessionContext, Turn } from '../../../machines/vocabulary.ts';
import type { Jobs, Timers } from '../machine/step.ts';

/** JSON. A field that holds words is missing. */
export interface WordlessState {
  readonly value: unknown;
  readonly context: Readonly<Record<string, unknown>>;
  readonly timers: Timers;
  readonly jobs: Jobs;
}

interface State {
  readonly value: unknown;
  readonly context: SessionContext;
  readonly timers: Timers;
  readonly jobs: Jobs;
}

export function wordlessOf({ value, context, timers, jobs }: State): WordlessState {
  const { patient: _, tags: __, turn, queue, ...rest } = context;
  return {
    value,
    context: { ...rest, turn: turn === null ? null : wordlessTurn(turn), queue: queue.map(wordlessMessage) },
    timers,
    jobs,
  };
}

function wordlessTurn({ instructions: _, tags: __, options, ...turn }: Turn) {
  return { ...turn, options: numbersOf(options) };
}

function wordlessMessage({ content: _, instructions: __, tags: ___, options, ...message }: QueuedMessage) {
  return { ...message, options: numbersOf(options) };
}

/** A stop sequence may be any text. */
function numbersOf({ stop: _, ...numbers }: Turn['options']) {
  return numbers;
}
