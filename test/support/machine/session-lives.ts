/**
 * Random lives of a session: every event of the vocabulary, and the deadlines and jobs that are pending at that moment.
 * A life is plain choices, so that fast-check can shrink it; each choice becomes an event when the session is stepped.
 */
import fc from 'fast-check';
import { type OverlapPolicy, overlapPolicySchema } from '../../../machines/vocabulary.ts';
import {
  begin,
  type MachineState,
  type Step,
  type StepEvent,
  step,
} from '../../../src/session/machine/step.ts';
import { INPUT, OUTPUT, STARTS_AT } from './stepped-session.ts';

/** The fields of an event that name the client that sent it; none: an instance or an administrator acts. */
interface Sent {
  readonly from: Readonly<{ author?: string | null; tenant?: string }>;
}

type Choice =
  | { readonly kind: 'attach' | 'detach'; readonly instance: string; readonly user: string | null }
  | {
      readonly kind: 'message';
      readonly policy: OverlapPolicy;
      readonly maxTokens: number | null;
      readonly user: string | null;
    }
  | ({ readonly kind: 'share'; readonly user: string; readonly access: 'read' | 'write' } & Sent)
  | ({ readonly kind: 'unshare'; readonly which: number } & Sent)
  | ({ readonly kind: 'cancel'; readonly whom: 'running' | 'waiting' | 'another' | 'any' } & Sent)
  | ({ readonly kind: 'regenerate'; readonly known: boolean } & Sent)
  | ({ readonly kind: 'fork' } & Sent)
  | ({ readonly kind: 'extend' } & Sent)
  | { readonly kind: 'recover' | 'completes' | 'summarised' }
  | ({ readonly kind: 'close'; readonly reason: 'closed' | 'admin' } & Sent)
  | { readonly kind: 'fails'; readonly retryable: boolean }
  /** Index into the pending deadlines, in the order of their times. */
  | { readonly kind: 'due'; readonly which: number };

interface Moment {
  readonly choice: Choice;
  /** The time before the event. A deadline never fires early, but may fire late. */
  readonly afterMs: number;
}

const weighed = (weight: number, arbitrary: fc.Arbitrary<Choice>) => ({ weight, arbitrary });
const instance = fc.constantFrom('a', 'b', 'c');
/** The first named user owns the session. */
const user = fc.constantFrom(null, null, 'u1', 'u2', 'u3');
const from: fc.Arbitrary<Sent['from']> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ author: user }) },
  { weight: 2, arbitrary: fc.constant({}) },
  { weight: 1, arbitrary: fc.record({ author: user, tenant: fc.constant('acme') }) },
);

const choice: fc.Arbitrary<Choice> = fc.oneof(
  weighed(20, fc.record({ kind: fc.constantFrom('attach', 'detach'), instance, user })),
  weighed(
    60,
    fc.record({
      kind: fc.constant('message'),
      policy: fc.constantFrom(...overlapPolicySchema.options),
      maxTokens: fc.option(fc.nat(9), { nil: null }),
      user,
    }),
  ),
  weighed(
    20,
    fc.record({
      kind: fc.constant('cancel'),
      whom: fc.constantFrom('running', 'waiting', 'another', 'any'),
      from,
    }),
  ),
  weighed(10, fc.record({ kind: fc.constantFrom('extend', 'fork'), from })),
  weighed(15, fc.record({ kind: fc.constant('regenerate'), known: fc.boolean(), from })),
  weighed(20, fc.record({ kind: fc.constantFrom('recover', 'summarised') })),
  weighed(
    10,
    fc.record({
      kind: fc.constant('share'),
      user: fc.constantFrom('u2', 'u3'),
      access: fc.constantFrom('read', 'write'),
      from,
    }),
  ),
  weighed(5, fc.record({ kind: fc.constant('unshare'), which: fc.nat(40), from })),
  weighed(40, fc.record({ kind: fc.constant('completes') })),
  weighed(30, fc.record({ kind: fc.constant('fails'), retryable: fc.boolean() })),
  weighed(40, fc.record({ kind: fc.constant('due'), which: fc.nat(3) })),
  weighed(3, fc.record({ kind: fc.constant('close'), reason: fc.constantFrom('closed', 'admin'), from })),
);

export const lives: fc.Arbitrary<readonly Moment[]> = fc.array(
  fc.record({ choice, afterMs: fc.oneof(fc.constant(0), fc.nat(5_000)) }),
  { minLength: 1, maxLength: 40 },
);

/** The event that the choice means in this machine state; null if it means none. */
function chosen({ choice: made }: Moment, state: MachineState, now: number, place: number): StepEvent | null {
  const at = now;
  switch (made.kind) {
    case 'attach':
    case 'detach': {
      const who = made.user === null ? {} : { userId: made.user };
      return { type: made.kind, at, instance: made.instance, ...who };
    }
    case 'message': {
      const { policy, maxTokens } = made;
      const options = maxTokens === null ? {} : { maxTokens };
      const ids = { messageId: `m${place}`, turnId: `t${place}` };
      const said = { content: `question ${place}`, patient: { asked: place } };
      return { type: 'message', at, ...ids, ...said, author: made.user, policy, options };
    }
    case 'share': {
      const share = { id: `s${place}`, userId: made.user, access: made.access, expiresAt: at + 10_000 };
      return { type: 'share', at, ...made.from, share };
    }
    case 'unshare':
      return { type: 'unshare', at, ...made.from, shareId: `s${made.which}` };
    case 'summarised':
      return { type: 'summarised', at, through: 't0', content: 'what was said so far' };
    case 'cancel': {
      if (made.whom === 'any') return { type: 'cancel', at, ...made.from };
      const { turn, queue } = state.snapshot.context;
      const ids = { running: turn?.id, waiting: queue[0]?.turnId, another: 'another' };
      return { type: 'cancel', at, ...made.from, turnId: ids[made.whom] ?? 'none' };
    }
    case 'regenerate': {
      const ids = { messageId: `m${place}`, turnId: `t${place}` };
      const { author = null } = made.from;
      const retraction = { turnIds: ['t0'], content: 'question 0', author, isOneAuthor: true };
      return { type: 'regenerate', at, ...made.from, ...ids, options: {}, ...(made.known && { retraction }) };
    }
    case 'fork':
      return { type: 'fork', at, ...made.from, messageId: `m${place}`, sessionId: 'copy', turnId: null };
    case 'extend':
      return { type: 'extend', at, ...made.from };
    case 'recover':
      return { type: made.kind, at };
    case 'close':
      return { type: 'close', at, ...made.from, reason: made.reason };
    case 'completes':
      if (state.jobs.generation === undefined) return null;
      return { type: 'xstate.done.actor.generation', at, output: OUTPUT };
    case 'fails': {
      if (state.jobs.generation === undefined) return null;
      const error = { code: 'upstream_error', retryable: made.retryable, replica: 'r1' };
      return { type: 'xstate.error.actor.generation', at, error };
    }
    case 'due': {
      const pending = Object.entries(state.timers).sort(([, a], [, b]) => a - b);
      const [id, dueAt] = pending[made.which % Math.max(1, pending.length)] ?? [];
      if (id === undefined || dueAt === undefined) return null;
      return { type: id as `xstate.after.${string}`, at: Math.max(at, dueAt) };
    }
  }
}

export interface Lived {
  readonly event: StepEvent;
  readonly before: MachineState;
  readonly stepped: Step;
  readonly key: string;
}

export type Life = readonly Moment[];

/** Plays a life until the session ends. `keyAt` makes the key of a step from its place and the steps that changed something. */
export function live(
  moments: Life,
  keyAt: (place: number, changes: number) => string = (place) => String(place + 2),
): readonly Lived[] {
  let state = begin(INPUT, '1').next;
  let now = STARTS_AT;
  const lived: Lived[] = [];
  let changes = 0;
  for (const [place, moment] of moments.entries()) {
    now += moment.afterMs;
    const event = chosen(moment, state, now, place);
    if (event === null) continue;
    now = event.at;
    const key = keyAt(place, changes);
    const stepped = step(state, event, key);
    lived.push({ event, before: state, stepped, key });
    if (stepped.changed) changes += 1;
    state = stepped.next;
    if (state.snapshot.status !== 'active') break;
  }
  return lived;
}
