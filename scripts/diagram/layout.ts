// Lays out a description with elk, as boxes and lines in one system of coordinates.

import ELK, { type ElkExtendedEdge, type ElkNode } from 'elkjs/lib/elk.bundled.js';
import { type Description, heading, rows, type State, type TransitionKind } from './describe.ts';
import {
  ANYWHERE,
  type Bundle,
  bundle,
  DOTTED,
  PILL_GAP,
  PILL_HEIGHT,
  pillWidth,
  toGraph,
  widthOf,
} from './graph.ts';

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface StateBox extends Box {
  readonly state: State;
  readonly rows: readonly string[];
}

export interface Pill extends Box {
  readonly text: string;
  readonly kind: TransitionKind;
}

export interface Line {
  readonly points: readonly { readonly x: number; readonly y: number }[];
  /** Null for the line from a state's entry dot. */
  readonly kind: TransitionKind | null;
  readonly pills: readonly Pill[];
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly states: readonly StateBox[];
  readonly dots: readonly Box[];
  readonly chips: readonly Box[];
  readonly lines: readonly Line[];
}

export async function layOut(description: Description): Promise<Layout> {
  const bundles = bundle(description);
  const elk = new ELK.default();
  const place = async (slack: ReadonlyMap<string, number>): Promise<Layout> =>
    read(await elk.layout(toGraph(description, bundles, slack)), description, bundles);
  const tight = await place(new Map());
  const lacking = tight.states.flatMap(({ state, width }): [string, number][] => {
    const lack = widthOf(state, description) - width;
    return lack > 0 ? [[state.id, lack]] : [];
  });
  return lacking.length === 0 ? tight : place(new Map(lacking));
}

function read(graph: ElkNode, description: Description, bundles: readonly Bundle[]): Layout {
  const known = new Map(description.states.map((state) => [state.id, state]));
  const bundled = new Map(bundles.map((one) => [one.id, one]));
  const states: StateBox[] = [];
  const dots: Box[] = [];
  const chips: Box[] = [];
  const lines: Line[] = [];
  const visit = (node: ElkNode): void => {
    const box = boxOf(node);
    const state = known.get(node.id);
    if (state !== undefined) states.push({ ...box, state, rows: rows(state, description) });
    else if (node.id.endsWith(ANYWHERE)) chips.push(box);
    else if (node.id.endsWith(DOTTED)) dots.push(box);
    for (const edge of node.edges ?? []) lines.push(lineOf(edge, bundled.get(edge.id)));
    for (const child of node.children ?? []) visit(child);
  };
  visit(graph);
  return { width: graph.width ?? 0, height: graph.height ?? 0, states, dots, chips, lines };
}

function lineOf(edge: ElkExtendedEdge, bundled: Bundle | undefined): Line {
  const points = (edge.sections ?? []).flatMap((section) => [
    section.startPoint,
    ...(section.bendPoints ?? []),
    section.endPoint,
  ]);
  const transitions = bundled?.transitions ?? [];
  const label = boxOf(edge.labels?.[0] ?? {});
  const pills = transitions.map((one, index): Pill => {
    const text = heading(one);
    const width = pillWidth(text);
    const x = label.x + (label.width - width) / 2;
    const y = label.y + index * (PILL_HEIGHT + PILL_GAP);
    return { x, y, width, height: PILL_HEIGHT, text, kind: one.kind };
  });
  return { points, kind: transitions[0]?.kind ?? null, pills };
}

function boxOf({ x = 0, y = 0, width = 0, height = 0 }: Partial<Box>): Box {
  return { x, y, width, height };
}
