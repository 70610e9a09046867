// The overview: the states under the root, and the main paths between them. It leaves out what stays within one of them,
// every action, and the guards of a trigger whose branches all go the same way.

import type { Description, State, Transition } from './describe.ts';
import { grouped, headText, wrap } from './labels.ts';
import { ANYWHERE, type Box, type Label, type Line, type Telling, type View } from './view.ts';

const LABEL_LETTERS = 12;
const ROW_LETTERS = 16;

export function overviewView(description: Description, telling: Telling): View {
  const root = description.states.find(({ parent }) => parent === null);
  if (root === undefined) throw new Error('the description has no root');
  const topOf = (id: string): string =>
    root.children.find((top) => id === top || id.startsWith(`${top}.`)) ?? `${root.id}${ANYWHERE}`;
  const moving = description.transitions.filter(
    ({ source, target }) => target !== null && topOf(source) !== topOf(target),
  );
  const pairs = grouped(moving, ({ source, target }) => `${topOf(source)} > ${topOf(target ?? '')}`);
  const lines = [...pairs].map(([id, transitions]): Line => {
    const [source = '', target = ''] = id.split(' > ');
    return { id, source, target, labels: labelsOf(transitions, telling) };
  });
  const states = new Map(description.states.map((state) => [state.id, state]));
  const boxes = root.children
    .flatMap((id) => states.get(id) ?? [])
    .map((state) => toBox(state, states, telling));
  const isAnywhere = lines.some(({ source }) => source.endsWith(ANYWHERE));
  const shown = isAnywhere ? [...boxes, anywhere(`${root.id}${ANYWHERE}`)] : boxes;
  return { initial: root.initial === null ? null : topOf(root.initial), boxes: shown, lines };
}

function toBox(state: State, states: ReadonlyMap<string, State>, { meanings, marks }: Telling): Box {
  const meaning = meanings.get(state.key) ?? '';
  const inner = state.children.flatMap((id) => states.get(id)?.key ?? []);
  const row = (text: string): Label => ({
    transitions: [],
    kind: null,
    head: wrap(text, ROW_LETTERS),
    tail: [],
    hint: '',
    mark: null,
  });
  return {
    id: state.id,
    title: state.key,
    hint: meaning,
    rows: [meaning, inner.join(' · ')].filter((text) => text !== '').map(row),
    initial: null,
    kind: state.type === 'final' ? 'final' : 'state',
    children: [],
    mark: marks.get(state.id) ?? null,
  };
}

function anywhere(id: string): Box {
  return {
    id,
    title: 'any state',
    hint: '',
    rows: [],
    initial: null,
    kind: 'elsewhere',
    children: [],
    mark: null,
  };
}

/** One label per trigger. */
function labelsOf(transitions: readonly Transition[], telling: Telling): readonly Label[] {
  return [
    ...grouped(transitions, ({ kind, trigger, source }) => `${source} ${kind} ${trigger}`).values(),
  ].map((branches): Label => {
    const [first] = branches;
    if (first === undefined) throw new Error('a group is empty');
    const wording = telling.words(first);
    const text = branches.length > 1 ? wording.trigger : headText(wording);
    return {
      transitions: branches,
      kind: first.kind,
      head: wrap(text, LABEL_LETTERS),
      tail: [],
      hint: branches.map(({ id }) => id).join('\n'),
      mark: telling.marks.get(first.id) ?? null,
    };
  });
}
