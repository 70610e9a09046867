/**
 * A plan lists what a transition does from a state: the actions of the states that it leaves, its own, and those of the
 * states that it enters, in XState's order. It follows from the chart alone, so every session shares it.
 *
 * XState works out both sets of states again for each event, which is most of the price of its `transition()`.
 */
import type { AnyStateMachine, AnyStateNode } from 'xstate';

export type Transition = ReturnType<AnyStateMachine['getTransitionData']>[number];
type Action = Transition['actions'][number];

export type Planned =
  | { readonly kind: 'action'; readonly action: Action }
  | { readonly kind: 'start' | 'stop'; readonly id: string; readonly src: unknown };

/** The names that the chart gives to what a transition does. */
export interface Taken {
  /** The guard that let the transition through; null: it has none. */
  readonly guard: string | null;
  readonly actions: readonly string[];
}

export interface Plan {
  readonly steps: readonly Planned[];
  readonly taken: Taken;
  /** The innermost active state after the transition. */
  readonly leaf: AnyStateNode;
}

/** The state and all states around it, innermost first. */
export function lineOf(node: AnyStateNode): readonly AnyStateNode[] {
  const line = [node];
  for (let outer = node.parent; outer !== undefined; outer = outer.parent) line.push(outer);
  return line;
}

const isInside = (node: AnyStateNode, outer: AnyStateNode): boolean =>
  node !== outer && lineOf(node).includes(outer);

/** The innermost state that stays active during the transition. */
function stays({ source, reenter }: Transition, target: AnyStateNode): AnyStateNode | undefined {
  if (!reenter && (target === source || isInside(target, source))) return source;
  return lineOf(target).find((outer) => isInside(target, outer) && isInside(source, outer));
}

/** The target, and the initial states inside it. Null if a plan does not cover one of them. */
function inwards(target: AnyStateNode): readonly AnyStateNode[] | null {
  const line = [target];
  for (let node = target; node.type !== 'atomic'; ) {
    const [first, ...others] = node.type === 'compound' ? (node.initial.target ?? []) : [];
    if (first?.parent !== node || others.length > 0 || node.initial.actions.length > 0) return null;
    line.push(first);
    node = first;
  }
  return line;
}

const action = (one: Action): Planned => ({ kind: 'action', action: one });
const leaving = (node: AnyStateNode): readonly Planned[] => [
  ...node.exit.map(action),
  ...node.invoke.map(({ id, src }): Planned => ({ kind: 'stop', id, src })),
];
const entering = (node: AnyStateNode): readonly Planned[] => [
  ...node.entry.map(action),
  ...node.invoke.map(({ id, src }): Planned => ({ kind: 'start', id, src })),
];

/** XState remembers what it leaves here, or enters several states at once. */
const isUncovered = (node: AnyStateNode): boolean =>
  node.type === 'parallel' || Object.values(node.states).some(({ type }) => type === 'history');

/** Null for what a plan does not cover: several targets, final, parallel and history states, actions of `initial`. */
export function planOf(leaf: AnyStateNode, transition: Transition): Plan | null {
  const own = transition.actions.map(action);
  const [target, ...others] = transition.target ?? [];
  if (target === undefined) return { steps: own, taken: takenOf(transition, own), leaf };
  const domain = stays(transition, target);
  const next = inwards(target)?.at(-1);
  if (domain === undefined || next === undefined || others.length > 0) return null;
  const left = lineOf(leaf).filter((node) => isInside(node, domain));
  const entered = lineOf(next).filter((node) => isInside(node, domain));
  if ([...left, ...entered].some(isUncovered)) return null;
  const steps = [...left.flatMap(leaving), ...own, ...entered.reverse().flatMap(entering)];
  return { steps, taken: takenOf(transition, steps), leaf: next };
}

export function takenOf({ guard }: Pick<Transition, 'guard'>, steps: readonly Planned[]): Taken {
  return {
    guard: guard === undefined ? null : nameOf(guard),
    // XState adds actions of its own that start and stop timers.
    actions: steps
      .flatMap((planned) => (planned.kind === 'action' ? [nameOf(planned.action)] : []))
      .filter((name) => !name.startsWith('xstate.')),
  };
}

/** What a machine does when it begins: the entry actions of the states that are active then, outermost first. */
export function takenAtStart(leaf: AnyStateNode): Taken {
  return takenOf({}, [...lineOf(leaf)].reverse().flatMap(entering));
}

function nameOf(named: unknown): string {
  if (typeof named === 'string') return named;
  const { type } = named as { readonly type?: unknown };
  return typeof type === 'string' ? type : 'unnamed';
}
