// Turns a view into the graph that elk lays out: boxes and labels with their sizes, and lines between them.

import type { ElkExtendedEdge, ElkNode } from 'elkjs/lib/elk.bundled.js';
import { ANYWHERE, type Box, isOneLine, type Label, type Line, type View } from './view.ts';

export const TITLE_PX = 14;
export const TEXT_PX = 11;
export const HEAD_HEIGHT = 30;
export const TEXT_HEIGHT = 14;
const ROW_GAP = 4;
export const COLUMN_GAP = 18;
export const LABEL_PADDING = 5;
export const LABEL_GAP = 3;
export const SIDE = 14;

/** Suffix of the id of a state's entry dot. */
export const DOTTED = ' start';

const DOT = { width: 12, height: 12 };
const CHIP = { width: 74, height: 22 };
const LEAST_WIDTH = 96;

/** For the root only: inside a state, elk's own defaults give shorter lines. */
const OPTIONS = {
  'elk.padding': '[top=2,left=2,bottom=2,right=2]',
  'elk.algorithm': 'layered',
  'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
  'elk.edgeRouting': 'ORTHOGONAL',
  'elk.json.edgeCoords': 'ROOT',
  'elk.json.shapeCoords': 'ROOT',
  'elk.randomSeed': '1',
  'elk.spacing.nodeNode': '12',
  'elk.spacing.edgeEdge': '10',
  'elk.spacing.edgeNode': '10',
  'elk.spacing.edgeLabel': '3',
  'elk.layered.spacing.nodeNodeBetweenLayers': '22',
  'elk.layered.spacing.edgeNodeBetweenLayers': '14',
} as const;

/** How wide a box is at least, and in how many columns its rows stand, by the box's id. */
export interface Shape {
  readonly widths: ReadonlyMap<string, number>;
  readonly columns: ReadonlyMap<string, number>;
}

export function toGraph(view: View, shape: Shape, options: Readonly<Record<string, string>>): ElkNode {
  const starts: ElkExtendedEdge[] = [];
  const toNode = (box: Box): ElkNode => {
    if (box.kind === 'elsewhere') return { id: box.id, width: elsewhereWidth(box), height: CHIP.height };
    const head = headHeight(box, shape.columns.get(box.id) ?? 1);
    const width = Math.max(widthOf(box), shape.widths.get(box.id) ?? 0);
    if (box.children.length === 0) return { id: box.id, width, height: head + 4 };
    const children: ElkNode[] = [];
    if (box.initial !== null) {
      children.push({ id: `${box.id}${DOTTED}`, ...DOT });
      starts.push({
        id: `${box.id}${DOTTED}-`,
        sources: [`${box.id}${DOTTED}`],
        targets: [box.initial],
      });
    }
    const chip = `${box.id}${ANYWHERE}`;
    if (view.lines.some(({ source }) => source === chip)) children.push({ id: chip, ...CHIP });
    children.push(...box.children.map(toNode));
    const right = SIDE + (shape.widths.get(box.id) ?? 0);
    const padding = `[top=${head + 10},left=${SIDE},bottom=${SIDE},right=${right}]`;
    return { id: box.id, children, layoutOptions: { 'elk.padding': padding } };
  };
  const children = view.boxes.map(toNode);
  if (view.initial !== null) {
    children.unshift({ id: DOTTED, ...DOT });
    starts.push({ id: `${DOTTED}-`, sources: [DOTTED], targets: [view.initial] });
  }
  return {
    id: '',
    layoutOptions: { ...OPTIONS, ...options },
    children,
    edges: [...starts, ...view.lines.map(toEdge)],
  };
}

function toEdge({ id, source, target, labels }: Line): ElkExtendedEdge {
  const width = Math.max(...labels.map(labelWidth));
  const height = labels.reduce((sum, label) => sum + labelHeight(label) + LABEL_GAP, -LABEL_GAP);
  const layoutOptions = { 'elk.edgeLabels.inline': 'true' };
  return {
    id,
    sources: [source],
    targets: [target],
    // elk drops a label without text.
    labels: [{ id: `${id}=`, text: id, width, height, layoutOptions }],
  };
}

export const labelHeight = ({ head, tail }: Label): number =>
  (head.length + tail.length) * TEXT_HEIGHT + 2 * LABEL_PADDING - 1;
export const labelWidth = ({ head, tail }: Label): number =>
  Math.max(...[...head, ...tail].map((line) => textWidth(line, TEXT_PX))) + 16;

export const rowHeight = (row: Label): number =>
  (isOneLine(row) ? 1 : row.head.length + row.tail.length) * TEXT_HEIGHT + ROW_GAP;
const rowWidth = (row: Label): number =>
  isOneLine(row)
    ? textWidth([...row.head, ...row.tail].join(' '), TEXT_PX)
    : Math.max(
        ...row.head.map((line) => textWidth(line, TEXT_PX)),
        ...row.tail.map((line) => textWidth(line, TEXT_PX) + 10),
      );

/** Columns of rows, read from top to bottom and then from left to right, as even as their order allows. */
export function inColumns(rows: readonly Label[], columns: number): readonly (readonly Label[])[] {
  const all = rows.reduce((sum, row) => sum + rowHeight(row), 0);
  const filled = Array.from({ length: columns }, (): Label[] => []);
  let height = 0;
  for (const row of rows) {
    const wanted = Math.min(columns - 1, Math.floor((height + rowHeight(row) / 2) / (all / columns)));
    filled[wanted]?.push(row);
    height += rowHeight(row);
  }
  return filled;
}

function headHeight({ rows }: Box, columns: number): number {
  const heights = inColumns(rows, columns).map((column) =>
    column.reduce((sum, row) => sum + rowHeight(row), 0),
  );
  return HEAD_HEIGHT + Math.max(0, ...heights);
}

export const columnWidth = ({ rows }: Box): number => Math.max(0, ...rows.map(rowWidth));

/** The width that a box's name and one column of its rows need. */
export const widthOf = (box: Box): number =>
  Math.max(LEAST_WIDTH, textWidth(box.title, TITLE_PX) + 2 * SIDE, columnWidth(box) + 2 * SIDE);

const elsewhereWidth = ({ title }: Box): number => textWidth(title, TEXT_PX) + 20;

/** Wider than in most fonts, so that a text fits its box in any viewer. */
const textWidth = (text: string, px: number): number => Math.ceil(text.length * px * 0.57);
