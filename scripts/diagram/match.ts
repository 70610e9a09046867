// Pairs the transitions of two versions of a chart. An id counts the branches of an event, so that one more branch gives
// the branches after it other ids: the pairs follow what a branch does.

import type { Description, Transition } from './describe.ts';
import { grouped } from './labels.ts';

export interface Matched {
  readonly pairs: readonly Pair[];
  readonly added: readonly Transition[];
  readonly removed: readonly Transition[];
}

interface Pair {
  readonly before: Transition;
  readonly after: Transition;
  /** What differs; empty: nothing. */
  readonly differences: readonly string[];
}

export function matchTransitions(before: Description, after: Description): Matched {
  const old = grouped(before.transitions, eventKey);
  const now = grouped(after.transitions, eventKey);
  const parts = [...new Set([...old.keys(), ...now.keys()])].map((key) =>
    matchBranches(old.get(key) ?? [], now.get(key) ?? []),
  );
  return {
    pairs: parts.flatMap(({ pairs }) => pairs),
    added: parts.flatMap(({ added }) => added),
    removed: parts.flatMap(({ removed }) => removed),
  };
}

const eventKey = ({ source, kind, trigger }: Transition): string => `${source}:${kind} ${trigger}`;

/** Equal branches are pairs, then those with the same guard. */
function matchBranches(before: readonly Transition[], after: readonly Transition[]): Matched {
  const left = [...before];
  const found = new Map<Transition, Transition>();
  for (const isPair of [isEqual, hasSameGuard])
    for (const one of after) {
      const index = found.has(one) ? -1 : left.findIndex((other) => isPair(other, one));
      const [other] = index < 0 ? [] : left.splice(index, 1);
      if (other !== undefined) found.set(one, other);
    }
  let last = -1;
  const pairs = [...found]
    .toSorted(([one], [other]) => after.indexOf(one) - after.indexOf(other))
    .map(([now, old]): Pair => {
      const place = before.indexOf(old);
      const isMoved = place < last;
      last = Math.max(last, place);
      const differences = [...differencesOf(old, now), ...(isMoved ? ['tried later than before'] : [])];
      return { before: old, after: now, differences };
    });
  return { pairs, added: after.filter((one) => !found.has(one)), removed: left };
}

/** `else` says only that there are branches before. */
const guardOf = ({ guard }: Transition): string | null => (guard === 'else' ? null : guard);
const hasSameGuard = (one: Transition, other: Transition): boolean => guardOf(one) === guardOf(other);
const isEqual = (one: Transition, other: Transition): boolean =>
  hasSameGuard(one, other) && differencesOf(one, other).length === 0;

function differencesOf(before: Transition, after: Transition): readonly string[] {
  const names = (one: Transition): string => one.actions.map(({ name }) => name).join(', ') || 'none';
  const differences: string[] = [];
  if (before.target !== after.target)
    differences.push(`target ${before.target ?? 'none'} → ${after.target ?? 'none'}`);
  if (names(before) !== names(after)) differences.push(`actions ${names(before)} → ${names(after)}`);
  else if (JSON.stringify(before.actions) !== JSON.stringify(after.actions))
    differences.push('parameters of an action');
  return differences;
}
