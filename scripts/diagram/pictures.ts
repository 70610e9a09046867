// The pictures of a description: overview and detail, which the coverage and a diff mark.

import type { Description } from './describe.ts';
import type { Meanings } from './explain.ts';
import { headText, type Words, wordsOf } from './labels.ts';
import { arrange, type Layout, layOut } from './layout.ts';
import { overviewView } from './overview.ts';
import type { Tone } from './style.ts';
import { drawSvg } from './svg.ts';
import type { Timings } from './timings.ts';
import { detailViews, type Marks, type Telling } from './view.ts';

export interface Sources {
  readonly description: Description;
  readonly timings: Timings;
  readonly meanings: Meanings;
}

type Legend = readonly (readonly [Tone, string])[];

const KINDS: Legend = [
  ['event', 'event'],
  ['after', 'after a time'],
  ['always', 'at once'],
];
const ALL_KINDS: Legend = [...KINDS, ['done', 'job is done'], ['error', 'job fails']];
const PANEL_GAP = 16;
const NARROW = {
  'elk.direction': 'RIGHT',
  'elk.spacing.nodeNode': '20',
  'elk.layered.spacing.nodeNodeBetweenLayers': '12',
  'elk.layered.spacing.edgeNodeBetweenLayers': '8',
};

const tellingOf = ({ description, timings, meanings }: Sources, marks: Marks): Telling => ({
  words: wordsOf(description, timings),
  meanings,
  marks,
  isMarked: false,
});

export const overviewLayout = (sources: Sources): Promise<Layout> =>
  layOut(overviewView(sources.description, tellingOf(sources, new Map())), NARROW);

export const detailLayout = (sources: Sources): Promise<Layout> =>
  panels(sources.description, tellingOf(sources, new Map()));

async function panels(description: Description, telling: Telling): Promise<Layout> {
  const [whole, ...parts] = detailViews(description, telling);
  if (whole === undefined) throw new Error('the description has no states');
  const placed = await Promise.all(parts.map((view) => layOut(view, { 'elk.direction': 'DOWN' })));
  const { width } = arrange(NOTHING, placed, 2, PANEL_GAP);
  const first = await layOut(whole, { 'elk.direction': 'RIGHT' }, width);
  return arrange(first, placed, 2, PANEL_GAP);
}

export async function drawOverview(sources: Sources): Promise<string> {
  const { description } = sources;
  return drawSvg(await overviewLayout(sources), {
    title: `The ${description.machine} statechart in short, version ${description.version}`,
    description: inSentences(sources, wordsOf(description, sources.timings)),
    legend: KINDS,
    notes: ['Times are the defaults. Guards, actions and refusals are in docs/STATECHART.md.'],
  });
}

export async function drawDetail(sources: Sources): Promise<string> {
  const { machine, version } = sources.description;
  return drawSvg(await detailLayout(sources), {
    title: `The ${machine} statechart, version ${version}`,
    description: inSentences(sources, wordsOf(sources.description, sources.timings)),
    legend: ALL_KINDS,
    notes: [
      'An arrow: event: condition, then actions. A row: the same for what does not leave the state.',
      'anywhere: from every state of the box. → state: the box of that name. Times are the defaults.',
    ],
  });
}

export interface MarkedCaption {
  readonly title: string;
  readonly legend: Legend;
  readonly notes: readonly string[];
}

export async function drawMarked(
  sources: Sources,
  marks: Marks,
  words: Words,
  caption: MarkedCaption,
): Promise<string> {
  const layout = await panels(sources.description, {
    words,
    meanings: sources.meanings,
    marks,
    isMarked: true,
  });
  return drawSvg(layout, { ...caption, description: inSentences(sources, words) });
}

const NOTHING: Layout = { width: 0, height: 0, boxes: [], dots: [], chips: [], lines: [] };

/** The states and the transitions between them, for a screen reader. */
function inSentences({ description, meanings }: Sources, words: Words): string {
  const states = description.states
    .filter(({ parent }) => parent !== null)
    .map(({ key, id }) => `${nameOf(id)}: ${meanings.get(key) ?? key}`);
  const moves = description.transitions.flatMap((one) =>
    one.target === null || one.target === one.source
      ? []
      : `${nameOf(one.source)} to ${nameOf(one.target)} – ${headText(words(one))}.`,
  );
  return `States. ${states.join(' ')} Transitions. ${moves.join(' ')}`;

  function nameOf(id: string): string {
    const path = id.split('.').slice(1);
    return path.length === 0 ? 'any state' : path.join(' ');
  }
}
