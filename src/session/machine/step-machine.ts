/**
 * stepMachine is the session machine with cheaper implementations for the step. The chart is the same; a property test
 * compares each step with XState's own `transition()` of the plain machine.
 *
 *  LEAN-1  An assign copies the snapshot and replaces the context. XState's own assign also derives the state's value
 *          and tags from the state nodes, which no assign changes.
 *  LEAN-2  No actor exists for a job. XState builds one for each invoke, to start it; the step only needs its name.
 *
 * XState does not document `resolve`: only this file replaces it, and package.json pins XState's version.
 */
import { type SessionMachine, sessionMachine } from '../../../machines/session.ts';
import type { SessionContext, SessionEvent } from '../../../machines/vocabulary.ts';

interface AssignAction {
  readonly type: 'xstate.assign';
  readonly assignment: (
    args: { readonly context: SessionContext; readonly event: SessionEvent },
    params: unknown,
  ) => Partial<SessionContext>;
}

/** XState's `resolve` answers the next snapshot, parameters for the executor, and further actions. */
function resolveAssign(
  _scope: unknown,
  snapshot: { readonly context: SessionContext },
  { event }: { readonly event: SessionEvent },
  params: unknown,
  { assignment }: AssignAction,
) {
  const { context } = snapshot;
  const change = assignment({ context, event }, params);
  return [{ ...snapshot, context: { ...context, ...change } }, undefined, undefined] as const;
}

const isAssign = (action: unknown): action is AssignAction =>
  typeof action === 'function' && (action as unknown as AssignAction).type === 'xstate.assign';

/** A copy: the plain machine keeps its own actions. */
const withLeanAssign = (action: unknown): unknown =>
  isAssign(action) ? Object.assign(() => {}, { ...action, resolve: resolveAssign }) : action;

function mapValues<In, Out>(record: Readonly<Record<string, In>>, change: (value: In) => Out) {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}

const { actions, actors } = sessionMachine.implementations;

export const stepMachine: SessionMachine = sessionMachine.provide({
  actions: mapValues(actions, withLeanAssign) as never,
  actors: mapValues(actors, () => undefined) as never,
});
