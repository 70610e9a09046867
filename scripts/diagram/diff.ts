// One picture of two versions of a chart, and a table of what each change means for stored snapshots.

import { table } from '../docs/markdown.ts';
import type { Description, Transition } from './describe.ts';
import { type Change, difference, type Meaning, removedId, worstOf } from './difference.ts';
import { type Words, wordsOf } from './labels.ts';
import { matchTransitions } from './match.ts';
import { versionOf } from './papers.ts';
import { drawMarked, type Sources } from './pictures.ts';
import type { Mark } from './view.ts';

const MEANINGS: Readonly<Record<Meaning, string>> = {
  safe: 'safe',
  migration: 'needs a migration',
  breaks: 'breaks',
};

export function diffTable(before: Description, after: Description): string {
  const changes = difference(before, after);
  const title = `Statechart ${versionOf(before)} → ${versionOf(after)}`;
  if (changes.length === 0) return `${title}: no change.\n`;
  const order: readonly Meaning[] = ['breaks', 'migration', 'safe'];
  const rows = changes
    .toSorted((one, other) => order.indexOf(one.meaning) - order.indexOf(other.meaning))
    .map(({ what, mark, meaning, because }) => [`${mark} \`${what}\``, MEANINGS[meaning], because]);
  const counts = order.map((meaning) => `${count(changes, meaning)} ${MEANINGS[meaning]}`).join(', ');
  return `${title}: ${counts}.\n\n${table(['change', 'for stored snapshots', 'because'], rows)}\n`;
}

const count = (changes: readonly Change[], meaning: Meaning): number =>
  changes.filter((one) => one.meaning === meaning).length;

export function drawDiff(before: Description, sources: Sources): Promise<string> {
  const after = sources.description;
  const { removed } = matchTransitions(before, after);
  const gone = new Map(removed.map((one) => [removedId(one), one]));
  const changes = difference(before, after);
  const marks = new Map<string, Mark>();
  for (const { id, mark } of changes) {
    const isTransition = id.includes(':');
    marks.set(isTransition && mark === 'removed' ? `${id} (removed)` : id, mark);
  }
  const own = wordsOf(after, sources.timings);
  const old = wordsOf(before, sources.timings);
  const words: Words = (one) => {
    const original = gone.get(one.id);
    return original === undefined ? own(one) : old(original);
  };
  const both = union(before, after, removed);
  const meaning = changes.length === 0 ? 'no change' : MEANINGS[worstOf(changes)];
  return drawMarked({ ...sources, description: both }, marks, words, {
    title: `The ${after.machine} statechart from version ${versionOf(before)} to ${versionOf(after)}: ${meaning}`,
    legend: [
      ['added', 'added'],
      ['removed', 'removed'],
      ['changed', 'changed'],
    ],
    notes: ['+ added, − removed, ~ changed. The rest is as it was.'],
  });
}

/** The newer chart with the states and transitions that it no longer has. */
function union(before: Description, after: Description, removed: readonly Transition[]): Description {
  const known = new Set(after.states.map(({ id }) => id));
  const gone = before.states.filter(({ id }) => !known.has(id));
  const states = after.states.map((state) => {
    const lost = gone.filter(({ parent }) => parent === state.id).map(({ id }) => id);
    return lost.length === 0 ? state : { ...state, children: [...state.children, ...lost] };
  });
  return {
    ...after,
    states: [...states, ...gone],
    transitions: [...after.transitions, ...removed.map((one) => ({ ...one, id: removedId(one) }))],
  };
}
