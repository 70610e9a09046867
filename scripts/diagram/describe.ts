// A machine as plain JSON: what a review compares, and what every drawing is made from.
//
// Two runs on one machine give the same bytes: states and transitions are listed by their ids. An id names where a
// thing stands (`session.connected`, `session.connected:message#0`), so a change elsewhere leaves it alone.

import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';

export type TransitionKind = 'event' | 'after' | 'done' | 'error' | 'always';

export interface Action {
  readonly name: string;
  readonly params?: Readonly<Record<string, unknown>>;
  /** `remembers` changes the context, `asks` leaves the machine as an effect. */
  readonly does: 'remembers' | 'asks';
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
  /** In the order of the source, which is the order of the story. */
  readonly children: readonly string[];
}

export interface Transition {
  readonly id: string;
  readonly source: string;
  /** Null where the state is not left. */
  readonly target: string | null;
  readonly kind: TransitionKind;
  readonly trigger: string;
  /** A guard's name; `else` where the branches before it have one and this has none. */
  readonly guard: string | null;
  readonly actions: readonly Action[];
}

export interface Description {
  readonly machine: string;
  readonly version: number;
  readonly states: readonly State[];
  readonly transitions: readonly Transition[];
}

export function describe(machine: AnyStateMachine, version: number): Description {
  const nodes = allNodes(machine.root);
  const actionsOf = (raw: readonly unknown[]) => describeActions(machine, raw);
  return {
    machine: machine.id,
    version,
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
  const delays = new Map(node.after.map(({ eventType, delay }) => [eventType, String(delay)]));
  const described: Transition[] = [];
  for (const branches of [...node.transitions.values(), node.always ?? []]) {
    for (const [place, branch] of (branches as readonly AnyTransitionDefinition[]).entries()) {
      const { kind, trigger } = heard(branch.eventType, delays);
      const before = place > 0;
      described.push({
        id: `${node.id}:${kind === 'event' ? trigger : `${kind} ${trigger}`.trim()}#${place}`,
        source: node.id,
        target: branch.target?.[0]?.id ?? null,
        kind,
        trigger,
        guard: branch.guard === undefined ? (before ? 'else' : null) : named(branch.guard),
        actions: actionsOf(branch.actions),
      });
    }
  }
  return described;
}

function heard(
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
      does: built?.type === 'xstate.assign' ? 'remembers' : 'asks',
    };
  });
}

/** xstate keeps its delays as actions of its own; the transitions show them already. */
function isDeclared(action: unknown): boolean {
  const type = (action as { readonly type?: string } | null)?.type;
  return typeof action !== 'function' || (type !== 'xstate.raise' && type !== 'xstate.cancel');
}

/** Inline functions have no stable name: a drawing of them would change with every build. */
function named(given: unknown): string {
  if (typeof given === 'string') return given;
  const type = (given as { readonly type?: unknown } | null)?.type;
  if (typeof given === 'object' && typeof type === 'string') return type;
  throw new Error('the machine has an inline guard, action or actor: give it a name in setup()');
}

function byId(one: { readonly id: string }, other: { readonly id: string }): number {
  return one.id < other.id ? -1 : 1;
}
