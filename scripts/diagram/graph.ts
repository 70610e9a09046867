// Turns a description into the graph that elk lays out: boxes and labels with their sizes, and lines between them.
//
// Transitions with the same ends share one line with a stack of labels. A transition from a state to its own child
// starts at a chip `anywhere` inside the state, because no line can leave a box inwards.

import type { ElkExtendedEdge, ElkNode } from 'elkjs/lib/elk.bundled.js';
import { type Description, heading, rows, type State, type Transition } from './describe.ts';

export const TITLE_PX = 14;
export const TEXT_PX = 11;
export const HEAD_HEIGHT = 30;
export const ROW_HEIGHT = 17;
export const PILL_HEIGHT = 20;
export const PILL_GAP = 3;

/** Suffixes of the ids of a state's chip and of its entry dot. */
export const ANYWHERE = ' anywhere';
export const DOTTED = ' start';

const DOT = { width: 12, height: 12 };
const CHIP = { width: 74, height: 22 };
const SIDE = 18;
const LEAST_WIDTH = 104;

/** For the root only: inside a state, elk's own defaults give shorter lines. */
const OPTIONS = {
  'elk.algorithm': 'layered',
  'elk.direction': 'DOWN',
  'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
  'elk.edgeRouting': 'ORTHOGONAL',
  'elk.json.edgeCoords': 'ROOT',
  'elk.json.shapeCoords': 'ROOT',
  'elk.randomSeed': '1',
  'elk.spacing.nodeNode': '32',
  'elk.spacing.edgeEdge': '14',
  'elk.spacing.edgeNode': '18',
  'elk.spacing.edgeLabel': '5',
  'elk.layered.spacing.nodeNodeBetweenLayers': '36',
  'elk.layered.spacing.edgeNodeBetweenLayers': '18',
} as const;

/** All transitions with the same ends. */
export interface Bundle {
  readonly id: string;
  readonly source: string;
  readonly target: string;
  readonly transitions: readonly Transition[];
}

/** `slack` widens boxes whose rows are wider than their children: elk makes a box fit its children only. */
export function toGraph(
  description: Description,
  bundles: readonly Bundle[],
  slack: ReadonlyMap<string, number>,
): ElkNode {
  const states = new Map(description.states.map((state) => [state.id, state]));
  const root = description.states.find(({ parent }) => parent === null);
  if (root === undefined) throw new Error('the description has no root');

  const toNode = (state: State): ElkNode => {
    const head = HEAD_HEIGHT + rows(state, description).length * ROW_HEIGHT;
    if (state.children.length === 0)
      return { id: state.id, width: widthOf(state, description), height: head + 6 };
    const children: ElkNode[] = [];
    if (state.initial !== null) children.push({ id: `${state.id}${DOTTED}`, ...DOT });
    const chip = `${state.id}${ANYWHERE}`;
    if (bundles.some(({ source }) => source === chip)) children.push({ id: chip, ...CHIP });
    for (const id of state.children) {
      const child = states.get(id);
      if (child !== undefined) children.push(toNode(child));
    }
    const right = SIDE + (slack.get(state.id) ?? 0);
    const padding = `[top=${head + 14},left=${SIDE},bottom=${SIDE},right=${right}]`;
    return { id: state.id, children, layoutOptions: { 'elk.padding': padding } };
  };

  const starts = description.states.flatMap(({ id, initial }): ElkExtendedEdge[] =>
    initial === null ? [] : [{ id: `${id}${DOTTED}-`, sources: [`${id}${DOTTED}`], targets: [initial] }],
  );
  const edges = [...starts, ...bundles.map(toEdge)];
  return { id: '', layoutOptions: OPTIONS, children: [toNode(root)], edges };
}

function toEdge({ id, source, target, transitions }: Bundle): ElkExtendedEdge {
  const width = Math.max(...transitions.map((one) => pillWidth(heading(one))));
  const height = transitions.length * (PILL_HEIGHT + PILL_GAP) - PILL_GAP;
  const layoutOptions = { 'elk.edgeLabels.inline': 'true' };
  return {
    id,
    sources: [source],
    targets: [target],
    // elk drops a label without text.
    labels: [{ id: `${id}=`, text: id, width, height, layoutOptions }],
  };
}

export function bundle({ states, transitions }: Description): readonly Bundle[] {
  const parents = new Map(states.map(({ id, parent }) => [id, parent]));
  const isInside = (id: string, outer: string): boolean => {
    const parent = parents.get(id) ?? null;
    return parent !== null && (parent === outer || isInside(parent, outer));
  };
  const bundles = new Map<string, Bundle>();
  for (const transition of transitions) {
    const { source, target } = transition;
    if (target === null) continue;
    const start = isInside(target, source) ? `${source}${ANYWHERE}` : source;
    const id = `${start} > ${target}`;
    const before = bundles.get(id)?.transitions ?? [];
    bundles.set(id, { id, source: start, target, transitions: [...before, transition] });
  }
  return [...bundles.values()];
}

/** The width that a state's name and rows need. */
export function widthOf(state: State, description: Description): number {
  const lines = rows(state, description).map((row) => textWidth(row, TEXT_PX) + 24);
  return Math.max(LEAST_WIDTH, textWidth(state.key, TITLE_PX) + 28, ...lines);
}

export const pillWidth = (text: string): number => textWidth(text, TEXT_PX) + 16;

/** Wider than in most fonts, so that a text fits its box in any viewer. */
const textWidth = (text: string, px: number): number => Math.ceil(text.length * px * 0.6);
