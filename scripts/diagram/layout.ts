// Lays out a view with elk, as boxes and lines in one system of coordinates.

import ELK, { type ElkExtendedEdge, type ElkNode } from 'elkjs/lib/elk.bundled.js';
import {
  COLUMN_GAP,
  columnWidth,
  DOTTED,
  HEAD_HEIGHT,
  inColumns,
  LABEL_GAP,
  labelHeight,
  labelWidth,
  rowHeight,
  SIDE,
  toGraph,
  widthOf,
} from './graph.ts';
import { ANYWHERE, type Box, type Label, type Line, type View } from './view.ts';

export interface Area {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface PlacedLabel extends Area {
  readonly label: Label;
}

export interface PlacedBox extends Area {
  readonly box: Box;
  readonly depth: number;
  readonly rows: readonly PlacedLabel[];
}

export interface PlacedLine {
  readonly points: readonly { readonly x: number; readonly y: number }[];
  /** Null for the line from a state's entry dot. */
  readonly line: Line | null;
  readonly labels: readonly PlacedLabel[];
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly PlacedBox[];
  readonly dots: readonly Area[];
  readonly chips: readonly Area[];
  readonly lines: readonly PlacedLine[];
}

type Columns = ReadonlyMap<string, number>;

/** elk makes a box fit its children only. So a second run widens boxes with wide rows, and spreads rows over wide boxes. */
export async function layOut(
  view: View,
  options: Readonly<Record<string, string>> = {},
  leastWidth = 0,
): Promise<Layout> {
  const elk = new ELK.default();
  const place = async (widths: ReadonlyMap<string, number>, columns: Columns): Promise<Layout> =>
    read(await elk.layout(toGraph(view, { widths, columns }, options)), view, columns);
  const tight = await place(new Map(), new Map());
  const lacking = new Map<string, number>();
  const columns = new Map<string, number>();
  for (const { box, depth, width: tightWidth } of tight.boxes) {
    const width = Math.max(tightWidth, depth === 0 ? leastWidth : 0);
    const lack = Math.max(widthOf(box), width) - tightWidth;
    if (box.kind !== 'elsewhere' && lack > 0) lacking.set(box.id, lack);
    if (box.rows.length > 0)
      columns.set(
        box.id,
        Math.max(1, Math.floor((width - 2 * SIDE + COLUMN_GAP) / (columnWidth(box) + COLUMN_GAP))),
      );
  }
  return place(lacking, columns);
}

function read(graph: ElkNode, view: View, columns: Columns): Layout {
  const boxes = new Map<string, { readonly box: Box; readonly depth: number }>();
  const know = (box: Box, depth: number): void => {
    boxes.set(box.id, { box, depth });
    for (const child of box.children) know(child, depth + 1);
  };
  for (const box of view.boxes) know(box, 0);
  const lines = new Map(view.lines.map((line) => [line.id, line]));
  const layout = {
    boxes: [] as PlacedBox[],
    dots: [] as Area[],
    chips: [] as Area[],
    lines: [] as PlacedLine[],
  };
  const visit = (node: ElkNode): void => {
    const area = areaOf(node);
    const known = boxes.get(node.id);
    if (known !== undefined)
      layout.boxes.push({ ...area, ...known, rows: placeRows(known.box, area, columns.get(node.id) ?? 1) });
    else if (node.id.endsWith(ANYWHERE)) layout.chips.push(area);
    else if (node.id.endsWith(DOTTED)) layout.dots.push(area);
    for (const edge of node.edges ?? []) layout.lines.push(placeLine(edge, lines.get(edge.id) ?? null));
    for (const child of node.children ?? []) visit(child);
  };
  visit(graph);
  return { width: graph.width ?? 0, height: graph.height ?? 0, ...layout };
}

function placeRows(box: Box, { x, y }: Area, columns: number): readonly PlacedLabel[] {
  const width = columnWidth(box);
  return inColumns(box.rows, columns).flatMap((column, index) => {
    let top = y + HEAD_HEIGHT;
    return column.map((label) => {
      const height = rowHeight(label);
      const placed = { label, x: x + SIDE + index * (width + COLUMN_GAP), y: top, width, height };
      top += height;
      return placed;
    });
  });
}

function placeLine(edge: ElkExtendedEdge, line: Line | null): PlacedLine {
  const points = (edge.sections ?? []).flatMap((section) => [
    section.startPoint,
    ...(section.bendPoints ?? []),
    section.endPoint,
  ]);
  const area = areaOf(edge.labels?.[0] ?? {});
  let top = area.y;
  const labels = (line?.labels ?? []).map((label): PlacedLabel => {
    const width = labelWidth(label);
    const height = labelHeight(label);
    const placed = { label, x: area.x + (area.width - width) / 2, y: top, width, height };
    top += height + LABEL_GAP;
    return placed;
  });
  return { points, line, labels };
}

function areaOf({ x = 0, y = 0, width = 0, height = 0 }: Partial<Area>): Area {
  return { x, y, width, height };
}

/** Panels in columns under a first one that is as wide as all of them. */
export function arrange(first: Layout, panels: readonly Layout[], columns: number, gap: number): Layout {
  const filled = Array.from({ length: columns }, () => ({ height: 0, panels: [] as Layout[] }));
  for (const panel of panels) {
    const [shortest] = filled.toSorted((one, other) => one.height - other.height);
    shortest?.panels.push(panel);
    if (shortest !== undefined) shortest.height += panel.height + gap;
  }
  const placed: Layout[] = [first];
  let x = 0;
  for (const column of filled) {
    let y = first.height + gap;
    for (const panel of column.panels) {
      placed.push(moved(panel, x, y));
      y += panel.height + gap;
    }
    x += Math.max(0, ...column.panels.map(({ width }) => width)) + gap;
  }
  return {
    width: Math.max(first.width, x - gap),
    height: first.height + Math.max(0, ...filled.map(({ height }) => height)),
    boxes: placed.flatMap(({ boxes }) => boxes),
    dots: placed.flatMap(({ dots }) => dots),
    chips: placed.flatMap(({ chips }) => chips),
    lines: placed.flatMap(({ lines }) => lines),
  };
}

function moved(layout: Layout, x: number, y: number): Layout {
  const shift = <T extends { readonly x: number; readonly y: number }>(one: T): T => ({
    ...one,
    x: one.x + x,
    y: one.y + y,
  });
  return {
    ...layout,
    boxes: layout.boxes.map((box) => ({ ...shift(box), rows: box.rows.map(shift) })),
    dots: layout.dots.map(shift),
    chips: layout.chips.map(shift),
    lines: layout.lines.map((line) => ({
      ...line,
      points: line.points.map(shift),
      labels: line.labels.map(shift),
    })),
  };
}
