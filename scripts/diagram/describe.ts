// Describes a machine as plain JSON, which a review compares and every drawing starts from.
//
// Two runs on one machine give the same bytes: states and transitions are sorted by id. An id is a path in the machine
// (`session.connected`, `session.connected:message#0`), so a change elsewhere does not alter it.

import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';

export type TransitionKind = 'event' | 'after' | 'done' | 'error' | 'always';

export interface Action {
  readonly name: string;
  readonly params?: Readonly<Record<string, unknown>>;
  /** `assigns` changes the context, `emits` leaves the machine as an effect. */
  readonly does: 'assigns' | 'emits';
}

export interface State {
  readonly id: string;
  readonly key: string;
  readonly type: string;
  readonly parent: string | null;
  readonly initial: string | null;
  readonly entry: readonly Action[];
  readonly exit: readonly Action[];
  readonly invoke: readonly { readonly id: string; readonly src: string }[];
  /** In the order of the source code, which reads as a story. */
  readonly children: readonly string[];
}

export interface Transition {
  readonly id: string;
  readonly source: string;
  /** Null if the machine stays in the state. */
  readonly target: string | null;
  readonly kind: TransitionKind;
  readonly trigger: string;
  /** A guard's name; `else` if only the branches before this one have a guard. */
  readonly guard: string | null;
  readonly actions: readonly Action[];
}

export interface Description {
  readonly machine: string;
  readonly version: number;
  /** Absent: 0. */
  readonly revision?: number;
  /** Each field of the stored context with its type. Absent in descriptions from git that are older. */
  readonly context?: readonly string[];
  readonly states: readonly State[];
  readonly transitions: readonly Transition[];
}

export function describe(
  machine: AnyStateMachine,
  version: number,
  context: readonly string[] = [],
): Description {
  const nodes = allNodes(machine.root);
  const actionsOf = (raw: readonly unknown[]) => describeActions(machine, raw);
  return {
    machine: machine.id,
    version,
    context,
    states: nodes.map((node) => describeState(node, actionsOf)).sort(byId),
    transitions: nodes.flatMap((node) => describeTransitions(node, actionsOf)).sort(byId),
  };
}

type ActionsOf = (raw: readonly unknown[]) => readonly Action[];

function allNodes(node: AnyStateNode): readonly AnyStateNode[] {
  return [node, ...Object.values(node.states).flatMap((child) => allNodes(child as AnyStateNode))];
}

function describeState(node: AnyStateNode, actionsOf: ActionsOf): State {
  return {
    id: node.id,
    key: node.key,
    type: node.type,
    parent: node.parent?.id ?? null,
    initial: node.type === 'compound' ? (node.initial.target[0]?.id ?? null) : null,
    entry: actionsOf(node.entry),
    exit: actionsOf(node.exit),
    invoke: node.invoke.map(({ id, src }) => ({ id, src: named(src) })),
    children: Object.values(node.states).map((child) => (child as AnyStateNode).id),
  };
}

function describeTransitions(node: AnyStateNode, actionsOf: ActionsOf): readonly Transition[] {
  return branchesOf(node).map(({ id, kind, trigger, index, branch }) => ({
    id,
    source: node.id,
    target: branch.target?.[0]?.id ?? null,
    kind,
    trigger,
    guard: branch.guard === undefined ? (index > 0 ? 'else' : null) : named(branch.guard),
    actions: actionsOf(branch.actions),
  }));
}

interface Branch {
  readonly id: string;
  readonly kind: TransitionKind;
  readonly trigger: string;
  readonly index: number;
  readonly branch: AnyTransitionDefinition;
}

function branchesOf(node: AnyStateNode): readonly Branch[] {
  const delays = new Map(node.after.map(({ eventType, delay }) => [eventType, String(delay)]));
  return [...node.transitions.values(), node.always ?? []].flatMap((branches) =>
    (branches as readonly AnyTransitionDefinition[]).map((branch, index) => {
      const { kind, trigger } = triggerOf(branch.eventType, delays);
      const id = `${node.id}:${kind === 'event' ? trigger : `${kind} ${trigger}`.trim()}#${index}`;
      return { id, kind, trigger, index, branch };
    }),
  );
}

/** The id of each of XState's transitions, as the description has it. */
export function transitionIds(machine: AnyStateMachine): ReadonlyMap<AnyTransitionDefinition, string> {
  const branches = allNodes(machine.root).flatMap(branchesOf);
  return new Map(branches.map(({ branch, id }) => [branch, id]));
}

function triggerOf(
  eventType: string,
  delays: ReadonlyMap<string, string>,
): { readonly kind: TransitionKind; readonly trigger: string } {
  const delay = delays.get(eventType);
  if (delay !== undefined) return { kind: 'after', trigger: delay };
  if (eventType === '') return { kind: 'always', trigger: '' };
  const ended = /^xstate\.(done|error)\.(?:actor|state)\.(.+)$/.exec(eventType);
  if (ended !== null) return { kind: ended[1] as 'done' | 'error', trigger: ended[2] ?? '' };
  return { kind: 'event', trigger: eventType };
}

function describeActions(machine: AnyStateMachine, raw: readonly unknown[]): readonly Action[] {
  return raw.filter(isDeclared).map((action) => {
    const name = named(action);
    const { params } = (typeof action === 'object' ? action : {}) as { params?: Record<string, unknown> };
    const built = machine.implementations.actions[name] as { readonly type?: string } | undefined;
    return {
      name,
      ...(params === undefined || Object.keys(params).length === 0 ? {} : { params }),
      does: built?.type === 'xstate.assign' ? 'assigns' : 'emits',
    };
  });
}

/** Excludes the actions that xstate adds for its delays; the transitions show the delays. */
function isDeclared(action: unknown): boolean {
  const type = (action as { readonly type?: string } | null)?.type;
  return typeof action !== 'function' || (type !== 'xstate.raise' && type !== 'xstate.cancel');
}

/** Refuses an inline function: it has no stable name, so its drawing would change with every build. */
function named(given: unknown): string {
  if (typeof given === 'string') return given;
  const type = (given as { readonly type?: unknown } | null)?.type;
  if (typeof given === 'object' && typeof type === 'string') return type;
  throw new Error('the machine has an inline guard, action or actor: give it a name in setup()');
}

function byId(one: { readonly id: string }, other: { readonly id: string }): number {
  return one.id < other.id ? -1 : 1;
}
