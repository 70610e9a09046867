/**
 * walk takes the machine through one event, as XState's own `transition()` does. XState selects the transition by its
 * guards and resolves the actions; a plan saves XState's search for the states to leave and to enter.
 *
 *  WALK-1  A plan holds for one state and one transition. It never depends on a session.
 *  WALK-2  Where no plan applies, walk answers null and leaves no trace: XState then takes the whole event. So the chart
 *          may use every feature of XState.
 *  WALK-3  An assign replaces the context and nothing else. XState's own assign also derives the state's value from the
 *          state nodes, which no assign changes.
 *  WALK-4  Guards and actions get the context and the event, and no actor: none of this machine exists.
 *
 * A property test compares every step with XState's own `transition()`. XState does not document `resolve`: package.json
 * pins XState's version.
 */
import type { AnyActorScope, AnyMachineSnapshot, AnyStateMachine, AnyStateNode, EventObject } from 'xstate';
import { lineOf, type Plan, type Planned, planOf, type Taken, type Transition, takenOf } from './plan.ts';

/** What the host carries out: a timer, a job, an effect. */
export interface RawAction {
  readonly type: string;
  readonly params: unknown;
}

export interface Walk {
  readonly leaf: AnyStateNode;
  readonly context: Context;
  readonly actions: readonly RawAction[];
  /** The event's transition, then those without an event. */
  readonly taken: readonly Taken[];
}

type Context = Readonly<Record<string, unknown>>;
interface Args {
  readonly context: Context;
  readonly event: EventObject;
}
type Expression = (args: Args, params: unknown) => unknown;

/** An action as XState builds it. `resolve` answers a snapshot, parameters for the host, and further actions. */
interface Builtin {
  readonly type: string;
  readonly assignment?: Expression;
  readonly execute?: unknown;
  readonly resolve?: (
    scope: AnyActorScope,
    snapshot: unknown,
    args: Args,
    params: unknown,
    action: Builtin,
    extra: { readonly internalQueue: EventObject[] },
  ) => readonly [unknown, unknown, (readonly Builtin[])?];
}

/** The state of one walk: the machine's context, and what the host has to carry out so far. */
interface Progress {
  context: Context;
  readonly event: EventObject;
  readonly machine: AnyStateMachine;
  readonly scope: AnyActorScope;
  readonly actions: RawAction[];
}

/** Null if no plan applies. */
export function walk(snapshot: AnyMachineSnapshot, event: EventObject, scope: AnyActorScope): Walk | null {
  const machine: AnyStateMachine = snapshot.machine;
  const chosen = machine.getTransitionData(snapshot, event)[0];
  let leaf = onlyLeaf(snapshot);
  if (chosen === undefined || leaf === null) return null;
  const progress: Progress = { context: snapshot.context, event, machine, scope, actions: [] };
  const taken: Taken[] = [];
  let transition: Transition | undefined = chosen;
  while (transition !== undefined) {
    const plan = knownPlan(leaf, transition);
    if (plan === null || !plan.steps.every((planned) => take(planned, progress))) return null;
    leaf = plan.leaf;
    taken.push(plan.taken);
    const eventless = eventlessFrom(leaf, progress);
    if (eventless === null) return null;
    transition = eventless;
  }
  return { leaf, context: progress.context, actions: progress.actions, taken };
}

/** What the chart names for an event that XState takes: its transition, and the entry of the state that this one targets. */
export function namedFor(snapshot: AnyMachineSnapshot, event: EventObject): readonly Taken[] {
  return snapshot.machine.getTransitionData(snapshot, event).map((transition) => {
    const entry = (transition.target ?? []).flatMap((node) => node.entry);
    const actions = [...transition.actions, ...entry];
    return takenOf(
      transition,
      actions.map((action) => ({ kind: 'action', action })),
    );
  });
}

/** The innermost active state; inside a parallel state, one of them. */
export function leafOf(snapshot: AnyMachineSnapshot): AnyStateNode {
  const nodes = (snapshot as unknown as { readonly _nodes: readonly AnyStateNode[] })._nodes;
  const leaf = nodes.find(({ type }) => type === 'atomic' || type === 'final');
  if (leaf === undefined) throw new Error('a snapshot without an innermost state');
  return leaf;
}

/** Null inside a parallel state, where several states are active side by side. */
function onlyLeaf(snapshot: AnyMachineSnapshot): AnyStateNode | null {
  const nodes = (snapshot as unknown as { readonly _nodes: readonly AnyStateNode[] })._nodes;
  const leaf = nodes.find(({ type }) => type === 'atomic');
  return leaf !== undefined && lineOf(leaf).length === nodes.length ? leaf : null;
}

const plans = new WeakMap<Transition, Map<AnyStateNode, Plan | null>>();

function knownPlan(leaf: AnyStateNode, transition: Transition): Plan | null {
  let ofTransition = plans.get(transition);
  if (ofTransition === undefined) {
    ofTransition = new Map();
    plans.set(transition, ofTransition);
  }
  let plan = ofTransition.get(leaf);
  if (plan === undefined) {
    plan = planOf(leaf, transition);
    ofTransition.set(leaf, plan);
  }
  return plan;
}

/** False if only XState can take it. */
function take(planned: Planned, progress: Progress): boolean {
  switch (planned.kind) {
    case 'start':
      progress.actions.push({ type: 'xstate.spawnChild', params: { id: planned.id, src: planned.src } });
      return true;
    case 'stop':
      progress.actions.push({ type: 'xstate.stopChild', params: { id: planned.id } });
      return true;
    case 'action': {
      const { action } = planned;
      if (typeof action === 'function') return resolve(action as unknown as Builtin, undefined, progress);
      const named: { readonly type: string; readonly params?: unknown } =
        typeof action === 'string' ? { type: action } : (action as { readonly type: string });
      const found: unknown = progress.machine.implementations.actions[named.type];
      const { context, event } = progress;
      const params =
        typeof named.params === 'function'
          ? (named.params as Expression)({ context, event }, undefined)
          : named.params;
      return found !== undefined && resolve(found as Builtin, params, progress);
    }
  }
}

function resolve(action: Builtin, params: unknown, progress: Progress): boolean {
  const { context, event, machine, scope, actions } = progress;
  if (action.type === 'xstate.assign' && typeof action.assignment === 'function') {
    progress.context = { ...context, ...(action.assignment({ context, event }, params) as Context) };
    return true;
  }
  if (action.resolve === undefined) return false;
  const given = { machine, context };
  const raised: EventObject[] = [];
  const [snapshot, asked, further] = action.resolve(scope, given, { context, event }, params, action, {
    internalQueue: raised,
  });
  if (snapshot !== given || raised.length > 0) return false;
  if (action.execute !== undefined) actions.push({ type: action.type, params: asked });
  return further === undefined || further.every((one) => resolve(one, undefined, progress));
}

/** Undefined if the machine rests here. Null if only XState can tell. */
function eventlessFrom(
  leaf: AnyStateNode,
  { machine, context, event }: Progress,
): Transition | undefined | null {
  for (const node of lineOf(leaf))
    for (const transition of node.always ?? []) {
      const guard: unknown = transition.guard;
      if (transition.target === undefined) return null;
      if (guard === undefined) return transition;
      const holds: unknown = typeof guard === 'string' ? machine.implementations.guards[guard] : guard;
      if (typeof holds !== 'function' || 'check' in holds) return null;
      if ((holds as Expression)({ context, event }, undefined)) return transition;
    }
  return undefined;
}
