/**
 * Paths through the session machine, as moves that a test can make on a real session.
 *
 * xstate/graph knows no time: any deadline of a state can be the next one. So the test plays a path through the stepper
 * with one set of limits after another, until the deadlines come in the order of the path.
 */
import type { SnapshotFrom } from 'xstate';
import { getAdjacencyMap, getShortestPaths, getSimplePaths } from 'xstate/graph';
import { type SessionMachine, sessionMachine } from '../../../machines/session.ts';
import { type OverlapPolicy, overlapPolicySchema, type SessionLimits } from '../../../machines/vocabulary.ts';
import {
  begin,
  type MachineState,
  type StepEvent,
  step,
  type Timers,
} from '../../../src/session/machine/step.ts';
import { inputOf, OUTPUT, STARTS_AT } from './stepped-session.ts';

/** A move without ids and times, which are added when a test makes it. */
export type Move =
  | { readonly type: 'attach' | 'detach'; readonly instance: string }
  | { readonly type: 'message'; readonly policy: OverlapPolicy }
  | { readonly type: 'cancel'; readonly turnId?: string }
  | { readonly type: 'regenerate' }
  | { readonly type: 'extend' | 'close' }
  | { readonly type: 'completes' }
  | { readonly type: 'fails'; readonly retryable: boolean }
  | { readonly type: 'due'; readonly timer: string };

export interface Path {
  readonly name: string;
  readonly moves: readonly Move[];
  readonly limits: SessionLimits;
}

/** The time that passes after each move. */
export const TICK_MS = 10;

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const limitsOf = (absoluteMs: number, warnMs: number): SessionLimits => ({
  idleMs: HOUR_MS,
  absoluteMs,
  warnMs,
  queueMax: 2,
  attemptsMax: 2,
  // Each death counts as a resumption, and the machine's own tests cover this limit.
  resumesMax: 1_000,
});
/** The absolute end comes long after the idle end, long before it, shortly before or after it, or before a retry ends. */
const ORDERS: readonly SessionLimits[] = [
  limitsOf(4 * HOUR_MS, MINUTE_MS),
  limitsOf(HOUR_MS / 6, MINUTE_MS),
  limitsOf(HOUR_MS - MINUTE_MS / 2, MINUTE_MS),
  limitsOf(HOUR_MS + MINUTE_MS / 2, MINUTE_MS),
  limitsOf(100, 50),
  limitsOf(160, 80),
  limitsOf(400, 200),
  limitsOf(HOUR_MS - MINUTE_MS + 90, MINUTE_MS),
  limitsOf(HOUR_MS - MINUTE_MS + 350, MINUTE_MS),
];

/** The move as an event of the machine; `place` makes its ids. */
export function eventOf(move: Move, at: number, place: number): StepEvent {
  switch (move.type) {
    case 'message': {
      const ids = { messageId: `m${place}`, turnId: `t${place}` };
      return { type: 'message', at, ...ids, content: `question ${place}`, policy: move.policy, options: {} };
    }
    case 'regenerate': {
      const ids = { messageId: `m${place}`, turnId: `t${place}` };
      return { type: 'regenerate', at, ...ids, options: {} };
    }
    case 'close':
      return { type: 'close', at, reason: 'closed' };
    case 'completes':
      return { type: 'xstate.done.actor.generation', at, output: OUTPUT };
    case 'fails': {
      const error = { code: 'upstream_error', retryable: move.retryable, replica: 'r1' };
      return { type: 'xstate.error.actor.generation', at, error };
    }
    case 'due':
      return { type: `xstate.after.${move.timer}`, at };
    case 'extend':
      return { type: 'extend', at };
    default:
      return { ...move, at };
  }
}

const WARNING = 'absoluteWarning.session';
const ANYWHERE: readonly Move[] = [
  { type: 'attach', instance: 'a' },
  { type: 'attach', instance: 'b' },
  { type: 'detach', instance: 'a' },
  { type: 'detach', instance: 'b' },
  ...overlapPolicySchema.options.map((policy) => ({ type: 'message', policy }) as const),
  { type: 'cancel' },
  { type: 'cancel', turnId: 'unknown' },
  { type: 'extend' },
  { type: 'close' },
  { type: 'due', timer: WARNING },
  { type: 'due', timer: 'absoluteEnd.session' },
];
const GENERATING: readonly Move[] = [
  { type: 'completes' },
  { type: 'fails', retryable: true },
  { type: 'fails', retryable: false },
];

type Snapshot = SnapshotFrom<SessionMachine>;

function movesIn(snapshot: Snapshot): readonly Move[] {
  if (snapshot.status !== 'active') return [];
  if (snapshot.matches({ processing: 'generating' })) return [...ANYWHERE, ...GENERATING];
  const path = typeof snapshot.value === 'string' ? [] : Object.entries(snapshot.value).flat();
  const timer = { fresh: 'idleWarning', expiring: 'idleEnd', recovering: 'retryDelay' }[String(path[1])];
  return [...ANYWHERE, { type: 'due', timer: `${timer}.session.${path.join('.')}` }];
}

/** An event with the move that it represents. */
type Told = StepEvent & { readonly move: Move };

const TRAVERSAL = {
  input: inputOf(limitsOf(4 * HOUR_MS, MINUTE_MS)),
  // Internal events are not part of the machine's type: only the actor may send them.
  events: (snapshot: Snapshot) =>
    movesIn(snapshot).map((move): Told => ({ ...eventOf(move, STARTS_AT, 0), move })) as never,
  serializeEvent: (event: { readonly type: string }) => JSON.stringify((event as Told).move ?? event.type),
};

/** Every transition out of every state, on the shortest path; states differ if their transitions can differ. */
export function pathsOverEveryTransition(): readonly Path[] {
  const serializeState = ({ value, context }: Snapshot): string => {
    const { attached, turn, queue, warned } = context;
    // The number of attached instances matters only in a connected session.
    const present = turn === null ? attached.length : Math.min(attached.length, 1);
    return JSON.stringify([value, present, turn?.attempt, queue.length, warned]);
  };
  const states = getShortestPaths(sessionMachine, { ...TRAVERSAL, serializeState });
  // The cast is safe: only the variance of the machine's emitted effects differs from the type of the traversal.
  const leaving = getAdjacencyMap(sessionMachine as never, { ...TRAVERSAL, serializeState });
  return states.flatMap(({ state, steps }) => {
    const way = movesOf(steps);
    const transitions = Object.values(
      leaving[serializeState(state) as keyof typeof leaving]?.transitions ?? {},
    );
    return transitions.map(({ event }) => timed([...way, (event as Told).move]));
  });
}

/** Every path that visits no state twice. */
export function pathsWithoutLoops(): readonly Path[] {
  const serializeState = ({ value }: Snapshot): string => JSON.stringify(value);
  return getSimplePaths(sessionMachine, { ...TRAVERSAL, serializeState })
    .map(({ steps }) => movesOf(steps))
    .filter((moves) => moves.length > 0)
    .map(timed);
}

function movesOf(steps: readonly { readonly event: unknown }[]): readonly Move[] {
  return steps.flatMap(({ event }) => (event as Partial<Told>).move ?? []);
}

function timed(wanted: readonly Move[]): Path {
  const name = wanted.map((move) => Object.values(move).join(' ')).join(', ');
  for (const limits of ORDERS) {
    const moves = played(wanted, limits);
    if (moves !== null) return { name, moves, limits };
  }
  throw new Error(`no limits let this happen: ${name}`);
}

/**
 * The moves with the absolute warnings that come on the way; null where another deadline comes before a wanted one.
 * A deadline that has passed when its state begins comes in the tick after a move, without a move of its own.
 */
function played(wanted: readonly Move[], limits: SessionLimits): readonly Move[] | null {
  let state: MachineState = begin(inputOf(limits), '1').next;
  let now = STARTS_AT;
  let steps = 1;
  let passed: string | null = null;
  const moves: Move[] = [];
  const apply = (event: StepEvent): void => {
    steps += 1;
    state = step(state, event, String(steps)).next;
  };
  const play = (move: Move): boolean => {
    if (move.type === 'due') now = Math.max(now, state.timers[`xstate.after.${move.timer}`] ?? now);
    apply(eventOf(move, now, moves.length));
    moves.push(move);
    now += TICK_MS;
    const next = first(state.timers);
    const isOver = next !== undefined && (state.timers[next] ?? 0) <= now;
    passed = isOver ? next : null;
    if (isOver) apply({ type: next as `xstate.after.${string}`, at: now });
    return Object.values(state.timers).every((dueAt) => dueAt > now);
  };
  for (const move of wanted) {
    if (move.type === 'due') {
      const id = `xstate.after.${move.timer}`;
      if (passed === id) continue;
      if (move.timer !== WARNING && first(state.timers) === `xstate.after.${WARNING}`) {
        if (!play({ type: 'due', timer: WARNING })) return null;
      }
      if (first(state.timers) !== id) return null;
    }
    if (!play(move)) return null;
  }
  return moves;
}

function first(timers: Timers): string | undefined {
  return Object.entries(timers).reduce<readonly [string, number] | undefined>(
    (earliest, timer) => (earliest === undefined || timer[1] < earliest[1] ? timer : earliest),
    undefined,
  )?.[0];
}
