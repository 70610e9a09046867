// What the drawings print on a transition: its trigger, the condition under which it is taken, and its actions.
//
// A branch without a guard says what the branches before it leave over. A refusal leaves over nothing to say: every other
// branch implies that the event was not refused.

import type { Action, Description, Transition } from './describe.ts';
import { delayPhrase, guardPhrase } from './phrases.ts';
import type { Timings } from './timings.ts';

export interface Wording {
  readonly trigger: string;
  /** Empty if nothing needs to hold. */
  readonly condition: string;
  readonly actions: readonly string[];
}

export type Words = (transition: Transition) => Wording;

/** The words of each transition of the description. */
export function wordsOf({ transitions }: Description, timings: Timings): Words {
  const branches = grouped(transitions, branchKey);
  return (transition) => {
    const before = (branches.get(branchKey(transition)) ?? []).filter(
      (other) => branchOf(other) < branchOf(transition) && !isRefusal(other),
    );
    const { guard } = transition;
    const parts = [
      ...before.map((other) => (isGuard(other.guard) ? guardPhrase(other.guard).fails : '')),
      isGuard(guard) ? guardPhrase(guard).holds : '',
    ];
    return {
      trigger: triggerText(transition, timings),
      condition: [...new Set(parts)].filter((part) => part !== '').join(', '),
      actions: transition.actions.map(actionText),
    };
  };
}

export function headText({ trigger, condition }: Wording): string {
  if (trigger === '') return condition;
  return condition === '' ? trigger : `${trigger}: ${condition}`;
}

/** Mermaid ends a label at a second colon. */
export function bracketText({ trigger, condition }: Wording): string {
  return condition === '' ? trigger : `${trigger} [${condition}]`.trim();
}

export function actionText(action: Action): string {
  const params = Object.values(action.params ?? {}).join(', ');
  return params === '' ? action.name : `${action.name}(${params})`;
}

function triggerText({ kind, trigger }: Transition, timings: Timings): string {
  switch (kind) {
    case 'event':
      return trigger;
    case 'after':
      return delayPhrase(trigger, timings[trigger]);
    case 'done':
      return `${trigger} is done`;
    case 'error':
      return `${trigger} fails`;
    case 'always':
      return '';
  }
}

export const isRefusal = ({ target, actions }: Transition): boolean =>
  target === null && actions.length === 1 && actions[0]?.name === 'refuse';

const isGuard = (guard: string | null): guard is string => guard !== null && guard !== 'else';
const branchKey = ({ source, kind, trigger }: Transition): string => `${source}:${kind} ${trigger}`;
const branchOf = ({ id }: Transition): number => Number(id.slice(id.lastIndexOf('#') + 1));

/** Breaks a text between words, so that no line is longer than `width` letters unless a word is. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return line === '' ? lines : [...lines, line];
}

/** Groups in the order of their first item. */
export function grouped<T>(
  items: readonly T[],
  keyOf: (item: T) => string,
): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}
