// A view is a description as a drawing shows it: boxes with rows, and lines with labels. The overview, the detail, a
// diff and the coverage are views of one machine, which one layout places and one hand draws.

import type { Description, State, Transition, TransitionKind } from './describe.ts';
import type { Meanings } from './explain.ts';
import { actionText, grouped, headText, type Words, wrap } from './labels.ts';

/** How a diff or the coverage marks a state or a transition. */
export type Mark = 'added' | 'removed' | 'changed' | 'covered' | 'missing';
export type Marks = ReadonlyMap<string, Mark>;

/** A text with the transitions that it speaks of. */
export interface Label {
  readonly transitions: readonly Transition[];
  readonly kind: TransitionKind | null;
  readonly head: readonly string[];
  readonly tail: readonly string[];
  /** Shown while the pointer rests on the label. */
  readonly hint: string;
  readonly mark: Mark | null;
}

export interface Box {
  readonly id: string;
  readonly title: string;
  readonly hint: string;
  readonly rows: readonly Label[];
  readonly initial: string | null;
  readonly kind: 'state' | 'final' | 'elsewhere';
  readonly children: readonly Box[];
  readonly mark: Mark | null;
}

/** All transitions with the same ends. */
export interface Line {
  readonly id: string;
  readonly source: string;
  readonly target: string;
  readonly labels: readonly Label[];
}

/** Boxes side by side, with the lines between them and inside them. */
export interface View {
  /** The box that a new session enters, if the picture shows an entry beside its boxes. */
  readonly initial: string | null;
  readonly boxes: readonly Box[];
  readonly lines: readonly Line[];
}

export interface Telling {
  readonly words: Words;
  readonly meanings: Meanings;
  readonly marks: Marks;
  /** A picture with marks leaves everything else grey. */
  readonly isMarked: boolean;
}

/** A transition from a state to its own child starts at this chip inside the state: no line can leave a box inwards. */
export const ANYWHERE = ' anywhere';
/** Stands before the name of a state of another panel. */
export const ELSEWHERE = '→';
const HEAD_LETTERS = 21;
const TAIL_LETTERS = 21;
const ROW_LETTERS = 56;

/**
 * Every state, transition, guard and action, as one panel for the machine and one for each of its compound states. Where
 * a line leaves a panel, it ends at a box with the name of the other state: lines across the picture would make it twice
 * as wide as a page.
 */
export function detailViews(description: Description, telling: Telling): readonly View[] {
  const states = new Map(description.states.map((state) => [state.id, state]));
  const root = description.states.find(({ parent }) => parent === null);
  if (root === undefined) throw new Error('the description has no root');
  const toBox = (state: State): Box => ({
    id: state.id,
    title: `${sign(telling.marks.get(state.id))}${state.key}`,
    hint: telling.meanings.get(state.key) ?? '',
    rows: rowsOf(state, description, telling),
    initial: state.initial,
    kind: state.type === 'final' ? 'final' : 'state',
    children: state.children.flatMap((id) => states.get(id) ?? []).map(toBox),
    mark: telling.marks.get(state.id) ?? null,
  });
  const whole = toBox(root);
  const isPanel = ({ children }: Box): boolean => children.length > 0;
  const lines = linesOf(description, telling);
  const rest = { ...whole, initial: null, children: whole.children.filter((child) => !isPanel(child)) };
  return [rest, ...whole.children.filter(isPanel)].map((box) => panelOf(box, lines, states));
}

function panelOf(box: Box, lines: readonly Line[], states: ReadonlyMap<string, State>): View {
  const inside = new Set(idsIn(box));
  const own = lines.filter(({ source }) => inside.has(source.replace(ANYWHERE, '')));
  const elsewhere = new Set(own.map(({ target }) => target).filter((target) => !inside.has(target)));
  const stubs = [...elsewhere].map((id): Box => {
    const title = `${ELSEWHERE} ${states.get(id)?.key ?? id}`;
    const none = { hint: '', rows: [], initial: null, children: [], mark: null };
    return { id: `${box.id} ${ELSEWHERE} ${id}`, title, kind: 'elsewhere', ...none };
  });
  const ends = own.map((line) =>
    inside.has(line.target) ? line : { ...line, target: `${box.id} ${ELSEWHERE} ${line.target}` },
  );
  return { initial: null, boxes: [box, ...stubs], lines: ends };
}

const idsIn = (box: Box): readonly string[] => [box.id, ...box.children.flatMap(idsIn)];

function linesOf(description: Description, telling: Telling): readonly Line[] {
  const lines = new Map<string, Line>();
  for (const transition of description.transitions) {
    const { source, target } = transition;
    if (target === null) continue;
    const start = isInside(target, source) ? `${source}${ANYWHERE}` : source;
    const id = `${start} > ${target}`;
    const before = lines.get(id)?.labels ?? [];
    lines.set(id, { id, source: start, target, labels: [...before, arrowLabel(transition, telling)] });
  }
  return [...lines.values()];
}

/** For readers who see no colours. */
const SIGNS: Readonly<Record<Mark, string>> = {
  added: '+ ',
  removed: '− ',
  changed: '~ ',
  covered: '',
  missing: '! ',
};
const sign = (mark: Mark | undefined): string => (mark === undefined ? '' : SIGNS[mark]);

/** Ids of states are paths. */
const isInside = (id: string, outer: string): boolean => id.startsWith(`${outer}.`);

function arrowLabel(transition: Transition, telling: Telling): Label {
  const wording = telling.words(transition);
  return {
    transitions: [transition],
    kind: telling.isMarked ? null : transition.kind,
    head: wrap(`${sign(telling.marks.get(transition.id))}${headText(wording)}`, HEAD_LETTERS),
    tail: wrap(wording.actions.join(', '), TAIL_LETTERS),
    hint: hintOf([transition], telling),
    mark: telling.marks.get(transition.id) ?? null,
  };
}

/** Entry and exit actions, jobs, and the events that do not leave the state. Alike rows of several events are one. */
function rowsOf(state: State, { transitions }: Description, telling: Telling): readonly Label[] {
  const staying = transitions.filter(({ source, target }) => source === state.id && target === null);
  const alike = grouped(staying, (one) => {
    const { condition, actions } = telling.words(one);
    return JSON.stringify([one.kind, condition, actions, telling.marks.get(one.id)]);
  });
  const own = (heading: string, text: string, names: readonly string[]): Label => ({
    transitions: [],
    kind: null,
    ...rowText(heading, text),
    hint: meaningsOf(names, telling.meanings),
    mark: null,
  });
  return [
    ...state.entry.map((one) => own('on entry', actionText(one), [one.name])),
    ...state.exit.map((one) => own('on exit', actionText(one), [one.name])),
    ...state.invoke.map(({ src }) => own('runs', src, [src])),
    ...[...alike.values()].map((together): Label => {
      const [first] = together;
      if (first === undefined) throw new Error('a group is empty');
      const wording = telling.words(first);
      const trigger = together.map((one) => telling.words(one).trigger).join(', ');
      return {
        transitions: together,
        kind: telling.isMarked ? null : first.kind,
        ...rowText(
          `${sign(telling.marks.get(first.id))}${headText({ ...wording, trigger })}`,
          wording.actions.join(', '),
        ),
        hint: hintOf(together, telling),
        mark: telling.marks.get(first.id) ?? null,
      };
    }),
  ];
}

/** Heading and actions share a line if they fit. */
function rowText(heading: string, text: string): Pick<Label, 'head' | 'tail'> {
  if (text === '') return { head: wrap(heading, ROW_LETTERS), tail: [] };
  if (heading.length + text.length + 3 <= ROW_LETTERS) return { head: [heading], tail: [`/ ${text}`] };
  return { head: wrap(heading, ROW_LETTERS), tail: wrap(`/ ${text}`, ROW_LETTERS - 2) };
}

export const isOneLine = ({ head, tail }: Label): boolean =>
  head.length === 1 && tail.length <= 1 && (head[0]?.length ?? 0) + (tail[0]?.length ?? 0) + 1 <= ROW_LETTERS;

function hintOf(transitions: readonly Transition[], telling: Telling): string {
  const [first] = transitions;
  const names = first === undefined ? [] : [first.guard ?? '', ...first.actions.map(({ name }) => name)];
  const ids = transitions.map(({ id }) => id).join('\n');
  return [ids, meaningsOf(names, telling.meanings)].filter((part) => part !== '').join('\n');
}

function meaningsOf(names: readonly string[], known: Meanings): string {
  return names.flatMap((name) => (known.has(name) ? `${name}: ${known.get(name)}` : [])).join('\n');
}
