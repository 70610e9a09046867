// The picture of what the tests of the machine take: a state or transition that they miss stands out.

import type { Description } from './describe.ts';
import { wordsOf } from './labels.ts';
import { drawMarked, type Sources } from './pictures.ts';
import type { Mark } from './view.ts';

/** The ids of the states and transitions that no test takes. */
export function uncovered(
  { states, transitions }: Description,
  covered: ReadonlySet<string>,
): readonly string[] {
  return [...states, ...transitions].map(({ id }) => id).filter((id) => !covered.has(id));
}

export function drawCoverage(sources: Sources, covered: ReadonlySet<string>): Promise<string> {
  const { description, timings } = sources;
  const parts = [...description.states, ...description.transitions];
  const marks = new Map(parts.map(({ id }): [string, Mark] => [id, covered.has(id) ? 'covered' : 'missing']));
  const missing = uncovered(description, covered).length;
  return drawMarked(sources, marks, wordsOf(description, timings), {
    title: `What the tests take of the ${description.machine} statechart, version ${description.version}`,
    legend: [
      ['covered', 'taken by a test'],
      ['missing', '! taken by no test'],
    ],
    notes: [
      `The tests of the machine take ${parts.length - missing} of ${parts.length} states and transitions.`,
    ],
  });
}
