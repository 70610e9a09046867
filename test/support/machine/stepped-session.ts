/**
 * The machine rig: one session stepped as data, on a clock that its deadlines follow. It has no actor and no store.
 *
 * Read next: session-paths.ts (every way through the machine), session-lives.ts (random ones).
 */
import type { FrameBody, SessionEffect } from '../../../machines/effects.ts';
import type {
  GenerationError,
  GenerationOutput,
  SessionContext,
  SessionEvent,
  SessionInput,
  SessionLimits,
} from '../../../machines/vocabulary.ts';
import {
  begin,
  type MachineState,
  type Step,
  type StepEvent,
  step,
} from '../../../src/session/machine/step.ts';

/** An event without its time, which the session adds. */
export type Untimed<Event> = Event extends { readonly at: number } ? Omit<Event, 'at'> : never;
type Asked = Partial<
  Omit<Extract<SessionEvent, { type: 'message' }>, 'type' | 'at' | 'messageId' | 'turnId'>
>;

type Again = Partial<
  Omit<Extract<SessionEvent, { type: 'regenerate' }>, 'type' | 'at' | 'messageId' | 'turnId'>
> & { readonly turns?: readonly string[] };

export const LIMITS: SessionLimits = {
  idleMs: 100_000,
  absoluteMs: 1_000_000,
  warnMs: 10_000,
  queueMax: 3,
  attemptsMax: 3,
  resumesMax: 4,
};

export const STARTS_AT = 1_800_000_000_000;

export const inputOf = (limits: SessionLimits): SessionInput => ({
  at: STARTS_AT,
  sessionId: 'stepped',
  instance: 'a',
  clientId: null,
  userId: null,
  diagnosisId: null,
  limits,
});
export const INPUT = inputOf(LIMITS);

export const OUTPUT: GenerationOutput = {
  finishReason: 'stop',
  usage: { prompt_tokens: 3, completion_tokens: 5 },
  totalMs: 12,
  firstTokenMs: 4,
  model: 'scripted',
  replica: 'r1',
  temperature: 0,
  maxTokens: 64,
  simulated: true,
};

/** An event, with the state in which it came. */
export interface Made {
  readonly before: MachineState;
  readonly event: StepEvent;
}

export class SteppedSession {
  #state: MachineState;
  #now: number;
  #steps = 1;
  readonly #made: Made[] = [];
  readonly #effects: SessionEffect[];

  constructor(begun: Pick<Step, 'next' | 'effects'>, at: number) {
    this.#state = begun.next;
    this.#effects = [...begun.effects];
    this.#now = at;
  }

  get state(): MachineState {
    return this.#state;
  }

  get value(): unknown {
    return this.#state.snapshot.value;
  }

  get context(): SessionContext {
    return this.#state.snapshot.context;
  }

  get isOver(): boolean {
    return this.#state.snapshot.status === 'done';
  }

  get now(): number {
    return this.#now;
  }

  /** Every event so far, with the state in which it came. */
  get made(): readonly Made[] {
    return this.#made;
  }

  get effects(): readonly SessionEffect[] {
    return this.#effects;
  }

  get frames(): readonly FrameBody[] {
    return framesOf(this.#effects);
  }

  /** The effects of the event. */
  receive(event: Untimed<SessionEvent>): readonly SessionEffect[] {
    return this.apply({ ...event, at: this.#now } as SessionEvent);
  }

  /** The n-th message is `m1` and its turn `t1`. */
  ask(number: number, asked: Asked = {}): readonly SessionEffect[] {
    const ids = { messageId: `m${number}`, turnId: `t${number}` };
    const usual = { content: `question ${number}`, policy: 'queue', options: {} } as const;
    return this.receive({ type: 'message', ...ids, ...usual, ...asked });
  }

  /** Takes the turns back as the actor does, which reads their questions from the transcript. */
  askAgain(number: number, again: Again = {}): readonly SessionEffect[] {
    const { turns = ['t1'], ...rest } = again;
    const ids = { messageId: `m${number}`, turnId: `t${number}` };
    const retraction = { turnIds: turns, content: 'question 1', author: null, isOneAuthor: true };
    return this.receive({ type: 'regenerate', ...ids, retraction, options: {}, ...rest });
  }

  complete(output: Partial<GenerationOutput> = {}): readonly SessionEffect[] {
    const event = { type: 'xstate.done.actor.generation', at: this.#now } as const;
    return this.apply({ ...event, output: { ...OUTPUT, ...output } });
  }

  fail(error: Partial<GenerationError> = {}): readonly SessionEffect[] {
    const event = { type: 'xstate.error.actor.generation', at: this.#now } as const;
    return this.apply({
      ...event,
      error: { code: 'upstream_error', retryable: true, replica: 'r1', ...error },
    });
  }

  /** Lets time pass; deadlines fire in their order. */
  pass(ms: number): readonly SessionEffect[] {
    const until = this.#now + ms;
    const from = this.#effects.length;
    for (;;) {
      const [next] = Object.entries(this.#state.timers).sort(([, a], [, b]) => a - b);
      if (next === undefined || next[1] > until) break;
      this.#now = Math.max(this.#now, next[1]);
      this.apply({ type: next[0] as `xstate.after.${string}`, at: this.#now });
    }
    this.#now = until;
    return this.#effects.slice(from);
  }

  passToNext(): readonly SessionEffect[] {
    const next = Math.min(...Object.values(this.#state.timers));
    return this.pass(Math.max(0, next - this.#now));
  }

  apply(event: StepEvent): readonly SessionEffect[] {
    this.#steps += 1;
    this.#made.push({ before: this.#state, event });
    const stepped = step(this.#state, event, String(this.#steps));
    // Like the actor, it keeps the old state if the event changed nothing.
    if (stepped.changed) this.#state = stepped.next;
    this.#effects.push(...stepped.effects);
    return stepped.effects;
  }
}

export function beginStepped(
  limits: Partial<SessionLimits> = {},
  client: Partial<Pick<SessionInput, 'userId' | 'tenant' | 'origin' | 'tags'>> = {},
): SteppedSession {
  return new SteppedSession(begin({ ...inputOf({ ...LIMITS, ...limits }), ...client }, '1'), STARTS_AT);
}

export function framesOf(effects: readonly SessionEffect[]): readonly FrameBody[] {
  return effects.flatMap((effect) => (effect.type === 'frame' ? effect.frame : []));
}
