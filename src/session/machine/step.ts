/**
 * step computes one transition of the session machine, as a pure function from data to data.
 *
 *  STEP-1  Nothing runs here. Delays, invokes and emitted effects come back as data; the actor carries them out after
 *          the transition is stored.
 *  STEP-2  One inert scope serves every session. XState's own `transition()` builds a throw-away actor per call, which
 *          costs more than the step itself.
 *  STEP-3  walk.ts takes an event where it can, at a tenth of XState's price. XState takes any other event. A property
 *          test compares each step with XState's own `transition()`.
 *  STEP-4  A step throws on an action that cannot be stored: `sendTo`, an inline actor, an action without a name.
 *
 * XState does not document `ActorScope`: only this file builds one, and package.json pins XState's version.
 */
import { type AnyActorScope, createActor, type SnapshotFrom } from 'xstate';
import type { SessionEffect } from '../../../machines/effects.ts';
import { type SessionMachine, sessionMachine } from '../../../machines/session.ts';
import type {
  GenerationError,
  GenerationOutput,
  SessionContext,
  SessionEvent,
  SessionInput,
  TopState,
} from '../../../machines/vocabulary.ts';
import { type Taken, takenAtStart } from './plan.ts';
import { restingAt, restingIn } from './resting-state.ts';
import { leafOf, namedFor, type RawAction, walk } from './walk.ts';

/** Events that the actor raises for its own timers and jobs; no client can send them. */
export type InternalEvent =
  | { readonly type: `xstate.after.${string}`; readonly at: number }
  | { readonly type: 'xstate.done.actor.generation'; readonly at: number; readonly output: GenerationOutput }
  | { readonly type: 'xstate.error.actor.generation'; readonly at: number; readonly error: GenerationError };

export type StepEvent = SessionEvent | InternalEvent;

/** Absolute due times by timer id; the id is the type of the event that it raises. */
export type Timers = Readonly<Record<string, number>>;
/** Running jobs by invoke id. The key tells this run from every other run of the same invoke. */
export type Jobs = Readonly<Record<string, { readonly src: string; readonly key: string }>>;

export interface MachineState {
  readonly snapshot: SnapshotFrom<SessionMachine>;
  readonly timers: Timers;
  readonly jobs: Jobs;
}

export interface Step {
  readonly next: MachineState;
  readonly effects: readonly SessionEffect[];
  /** False if nothing needs to be stored: state, context, timers and jobs are the same, and no effect is durable. */
  readonly changed: boolean;
  /** Guards and actions by their names in the chart. */
  readonly taken: readonly Taken[];
}

const sink: RawAction[] = [];
const inertActor = createActor(sessionMachine, {
  snapshot: sessionMachine.resolveState({ value: { connected: 'fresh' }, context: {} as SessionContext }),
  input: {} as SessionInput,
});
const scope = {
  self: inertActor,
  id: '',
  sessionId: '',
  system: inertActor.system,
  logger() {},
  defer() {},
  stopChild() {},
  emit() {},
  actionExecutor: (action: RawAction) => {
    sink.push(action);
  },
} as unknown as AnyActorScope;

const initEvent = (input: SessionInput) => ({ type: 'xstate.init', input });

export function begin(input: SessionInput, key: string): Step {
  sink.length = 0;
  const snapshot = sessionMachine.getInitialSnapshot(scope as never, input);
  const taken = [takenAtStart(leafOf(snapshot))];
  return { ...reify(null, snapshot, sink, initEvent(input).input.at, key), taken };
}

/** `key` must be unique among the steps of a session; the actor passes the version that the step will get. */
export function step(state: MachineState, event: StepEvent, key: string): Step {
  // XState would step a finished machine too, but nothing may follow `expired`.
  if (state.snapshot.status !== 'active') return { next: state, effects: [], changed: false, taken: [] };
  const prev = state.timers[event.type] === undefined ? state : withoutTimer(state, event.type);
  const walked = walk(state.snapshot, event, scope);
  if (walked !== null) {
    const snapshot = { ...restingAt(walked.leaf), context: walked.context as unknown as SessionContext };
    return { ...reify(prev, snapshot, walked.actions, event.at, key), taken: walked.taken };
  }
  sink.length = 0;
  const given = { ...state.snapshot, children: childrenOf(state.jobs) };
  const snapshot = sessionMachine.transition(given, event as never, scope as never);
  if (snapshot === given && sink.length === 0) return { next: state, effects: [], changed: false, taken: [] };
  return { ...reify(prev, snapshot, sink, event.at, key), taken: namedFor(state.snapshot, event) };
}

/** XState finds the child that it stops under its id, and the action carries it. The step needs no more than the id. */
function childrenOf(jobs: Jobs): SnapshotFrom<SessionMachine>['children'] {
  const children: Record<string, { readonly id: string }> = {};
  for (const id of Object.keys(jobs)) children[id] = { id };
  return children as SnapshotFrom<SessionMachine>['children'];
}

/** Restores the machine's state from stored data; throws if the machine has no such state. */
export function restoreState(
  value: unknown,
  context: SessionContext,
  timers: Timers,
  jobs: Jobs,
): MachineState {
  const snapshot = { ...restingIn(value), context };
  return { snapshot, timers, jobs };
}

export function topState(value: unknown): TopState {
  return (typeof value === 'string' ? value : Object.keys(value as object)[0]) as TopState;
}

/** Removes a timer that fired, even if its state stays active: it would fire again after every restore. */
function withoutTimer(state: MachineState, timer: string): MachineState {
  const { [timer]: _, ...timers } = state.timers;
  return { ...state, timers };
}

function reify(
  prev: MachineState | null,
  snapshot: SnapshotFrom<SessionMachine>,
  actions: readonly RawAction[],
  at: number,
  key: string,
): Omit<Step, 'taken'> {
  const timers: Record<string, number> = { ...prev?.timers };
  const jobs: Record<string, { src: string; key: string }> = { ...prev?.jobs };
  const effects: SessionEffect[] = [];
  let moved = false;
  for (const action of actions) {
    switch (action.type) {
      case 'xstate.raise': {
        const { event, id, delay } = action.params as {
          event: { type: string };
          id?: string;
          delay?: number;
        };
        // A raise without delay was consumed inside the macrostep: arming it would handle it twice.
        if (delay === undefined) break;
        if (id !== event.type) throw new Error(`timer ${id} does not raise an event of its own name`);
        timers[event.type] = at + delay;
        moved = true;
        break;
      }
      case 'xstate.cancel': {
        delete timers[(action.params as { sendId: string }).sendId];
        moved = true;
        break;
      }
      case 'xstate.spawnChild': {
        const { id, src } = action.params as { id: string; src: unknown };
        if (typeof src !== 'string') throw new Error(`inline actor ${id} cannot be stored`);
        jobs[id] = { src, key };
        moved = true;
        break;
      }
      case 'xstate.stopChild': {
        const id = (action.params as { id?: string } | undefined)?.id;
        if (id === undefined) throw new Error('a child was stopped that was never stored');
        // Within one macrostep a stopped run may be followed by a new one of the same id: only the old key goes.
        if (jobs[id]?.key === prev?.jobs[id]?.key) delete jobs[id];
        moved = true;
        break;
      }
      case 'xstate.emit': {
        const { event } = action.params as { event: SessionEffect };
        effects.push(event);
        if (event.type !== 'refused' && event.type !== 'extended') moved = true;
        break;
      }
      default:
        throw new Error(`${action.type} cannot be made durable`);
    }
  }
  if (snapshot.status !== 'active') {
    for (const id of Object.keys(jobs)) delete jobs[id];
    for (const id of Object.keys(timers)) delete timers[id];
  }
  const changed = moved || prev === null || snapshot.context !== prev.snapshot.context;
  return { next: { snapshot, timers, jobs }, effects, changed };
}
