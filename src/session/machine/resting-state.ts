/**
 * A resting state is a snapshot of the machine without a session's context. What XState derives from a state's value is
 * the same in every session, so each value is derived once, and all sessions share it.
 */
import type { AnyStateNode, SnapshotFrom } from 'xstate';
import { type SessionMachine, sessionMachine } from '../../../machines/session.ts';
import type { SessionContext } from '../../../machines/vocabulary.ts';

type RestingState = SnapshotFrom<SessionMachine>;

const byValue = new Map<string, RestingState>();
const byLeaf = new WeakMap<AnyStateNode, RestingState>();

/** Throws if the machine has no such state. */
export function restingIn(value: unknown): RestingState {
  const key = JSON.stringify(value);
  let state = byValue.get(key);
  if (state === undefined) {
    const resolved = sessionMachine.resolveState({ value: value as never, context: {} as SessionContext });
    state = { ...resolved, status: 'active' } as RestingState;
    byValue.set(key, state);
  }
  return state;
}

/** The state whose innermost active state is `leaf`. */
export function restingAt(leaf: AnyStateNode): RestingState {
  let state = byLeaf.get(leaf);
  if (state === undefined) {
    const outwards = [...leaf.path].reverse();
    state = restingIn(
      outwards.reduce<unknown>((inner, name) => (inner === undefined ? name : { [name]: inner }), undefined),
    );
    byLeaf.set(leaf, state);
  }
  return state;
}
