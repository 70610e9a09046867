// Draws a laid-out view as one SVG without script or font, for a README, a page, a review and paper.
//
// Every state, transition and line is an element with an id and with `data-from`, `data-event` and `data-to`, so that a
// page can light it. An id is that of the description, with `_` for each space.

import { LABEL_PADDING, TEXT_HEIGHT, TEXT_PX, TITLE_PX } from './graph.ts';
import type { Area, Layout, PlacedBox, PlacedLabel, PlacedLine } from './layout.ts';
import { ink, outline, paper, styleSheet, TONE_NAMES, type Tone } from './style.ts';
import { ANYWHERE, ELSEWHERE, isOneLine, type Label, type Line } from './view.ts';

export interface Caption {
  readonly title: string;
  /** For a reader who does not see the picture. */
  readonly description: string;
  readonly legend: readonly (readonly [Tone, string])[];
  readonly notes: readonly string[];
}

const MARGIN = 10;
const LEGEND_HEIGHT = 30;
const NOTE_HEIGHT = 16;

export function drawSvg(layout: Layout, caption: Caption): string {
  const width = round(layout.width + 2 * MARGIN);
  const foot = LEGEND_HEIGHT + caption.notes.length * NOTE_HEIGHT;
  const height = round(layout.height + 2 * MARGIN + foot);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="Inter, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif" role="img" aria-labelledby="chart-title chart-description">`,
    `<title id="chart-title">${inXml(caption.title)}</title>`,
    `<desc id="chart-description">${inXml(caption.description)}</desc>`,
    styleSheet(),
    `<defs>${TONE_NAMES.map(arrowHead).join('')}</defs>`,
    `<rect width="${width}" height="${height}" ${paper('paper')}/>`,
    `<g transform="translate(${MARGIN} ${MARGIN})">`,
    ...layout.boxes.map(drawBox),
    ...layout.lines.map(drawLine),
    ...layout.dots.map(drawDot),
    ...layout.chips.map(drawChip),
    // Last, so that no line crosses a text.
    ...layout.lines.flatMap(({ labels }) => labels.map(drawLabel)),
    '</g>',
    drawFoot(caption, layout.height + 2 * MARGIN + 6),
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}

/** The id of an element: that of the state or transition, without spaces. */
export const elementId = (id: string): string => id.replaceAll(' ', '_');

function drawBox({ box, depth, rows, ...area }: PlacedBox): string {
  if (box.kind === 'elsewhere') return drawElsewhere(box.title, area);
  const fill = depth === 0 ? 'outer' : box.children.length > 0 ? 'group' : 'leaf';
  const tone = box.mark ?? 'rim';
  const { x, y, width, height } = area;
  const inner = { x: x + 3.5, y: y + 3.5, width: width - 7, height: height - 7 };
  const parts = [
    hint(box.hint),
    rect(area, 9, outline(tone, fill), thickness(box.mark)),
    box.kind === 'final' ? rect(inner, 6, outline(tone, null), '') : '',
    text(x + 14, y + 20, TITLE_PX, box.title, box.mark ?? 'ink', 'font-weight="600"'),
    ...rows.map(drawRow),
  ];
  return `<g id="${attribute(box.id)}" data-state="${attribute(box.id)}">${parts.join('')}</g>`;
}

function drawElsewhere(title: string, area: Area): string {
  const middle = area.x + area.width / 2;
  const frame = rect(area, 11, outline('rim', 'leaf'), 'stroke-dasharray="4 3"');
  return `<g>${frame}${text(middle, area.y + 15, TEXT_PX, title, 'ink', 'text-anchor="middle" font-weight="600"')}</g>`;
}

function drawRow({ label, x, y }: PlacedLabel): string {
  const [first = ''] = label.head;
  const tone = label.mark ?? label.kind ?? 'quiet';
  const parts = isOneLine(label)
    ? [
        `<text x="${round(x)}" y="${round(y + 11)}" font-size="${TEXT_PX}"><tspan ${ink(tone)}>${inXml(first)}</tspan> <tspan ${ink('quiet')}>${inXml(label.tail.join(' '))}</tspan></text>`,
      ]
    : [
        ...label.head.map((line, index) => text(x, y + 11 + index * TEXT_HEIGHT, TEXT_PX, line, tone, '')),
        ...label.tail.map((line, index) =>
          text(x + 10, y + 11 + (label.head.length + index) * TEXT_HEIGHT, TEXT_PX, line, 'quiet', ''),
        ),
      ];
  return within(label, `${hint(label.hint)}${parts.join('')}`);
}

function drawLabel({ label, ...area }: PlacedLabel): string {
  const tone = label.mark ?? label.kind ?? 'quiet';
  const middle = area.x + area.width / 2;
  const line = (words: string, index: number, of: Tone, more: string): string =>
    text(
      middle,
      area.y + LABEL_PADDING + 10 + index * TEXT_HEIGHT,
      TEXT_PX,
      words,
      of,
      `text-anchor="middle" ${more}`,
    );
  const parts = [
    rect(area, 7, outline(tone, 'paper'), thickness(label.mark)),
    ...label.head.map((words, index) => line(words, index, tone, 'font-weight="600"')),
    ...label.tail.map((words, index) => line(words, label.head.length + index, 'quiet', '')),
  ];
  return within(label, `${hint(label.hint)}${parts.join('')}`);
}

/** One element around the other for each transition of the label. */
function within({ transitions }: Label, content: string): string {
  return transitions.reduce((inner, { id, source, target, trigger, kind }) => {
    const event = kind === 'event' ? trigger : `${kind} ${trigger}`.trim();
    return `<g id="${attribute(elementId(id))}" data-from="${attribute(source)}" data-event="${attribute(event)}" data-to="${attribute(target ?? source)}">${inner}</g>`;
  }, content);
}

function drawLine({ points, line }: PlacedLine): string {
  const [first] = line?.labels ?? [];
  const tone = line === null || first === undefined ? 'ink' : (toneOf(line) ?? 'always');
  const path = points.map(({ x, y }, index) => `${index === 0 ? 'M' : 'L'}${round(x)} ${round(y)}`).join('');
  const ends =
    line === null
      ? ''
      : `id="${attribute(elementId(`line ${line.id}`))}" data-from="${attribute(line.source.replace(ANYWHERE, ''))}" data-event="${attribute(eventsOf(line))}" data-to="${attribute(targetOf(line))}" `;
  return `<path ${ends}d="${path}" ${outline(tone, null)} stroke-width="1.4" stroke-linejoin="round" marker-end="url(#head-${tone})"/>`;
}

/** A line that leaves its panel ends at a box with the name of the other state. */
const targetOf = ({ target }: Line): string => target.slice(target.lastIndexOf(ELSEWHERE) + 1).trim();

/** A line is added or removed only if all its transitions are. */
function toneOf({ labels }: Line): Tone | null {
  const marks = new Set(labels.map(({ mark }) => mark));
  const [only = null] = marks;
  return marks.size === 1 && only !== null ? only : (labels[0]?.kind ?? null);
}

const eventsOf = ({ labels }: Line): string =>
  [...new Set(labels.flatMap(({ transitions }) => transitions.map(({ trigger }) => trigger)))]
    .join(' ')
    .trim();

function drawDot({ x, y, width }: Area): string {
  return `<circle cx="${round(x + width / 2)}" cy="${round(y + width / 2)}" r="${round(width / 2)}" ${ink('ink')}/>`;
}

function drawChip(area: Area): string {
  const middle = area.x + area.width / 2;
  const frame = rect(area, 5, outline('rim', 'paper'), 'stroke-dasharray="4 3"');
  return `<g>${frame}${text(middle, area.y + 15, TEXT_PX, 'anywhere', 'quiet', 'text-anchor="middle" font-style="italic"')}</g>`;
}

function drawFoot({ legend, notes }: Caption, top: number): string {
  let x = MARGIN + 2;
  const parts: string[] = [];
  for (const [tone, words] of legend) {
    const width = Math.ceil(words.length * TEXT_PX * 0.57) + 18;
    const area = { x, y: top, width, height: 20 };
    const label = text(x + width / 2, top + 14, TEXT_PX, words, tone, 'text-anchor="middle"');
    parts.push(`<g>${rect(area, 7, outline(tone, 'paper'), '')}${label}</g>`);
    x += width + 8;
  }
  for (const [index, note] of notes.entries())
    parts.push(text(MARGIN + 2, top + LEGEND_HEIGHT + 4 + index * NOTE_HEIGHT, TEXT_PX, note, 'quiet', ''));
  return `<g>${parts.join('')}</g>`;
}

function arrowHead(tone: Tone): string {
  return `<marker id="head-${tone}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" ${ink(tone)}/></marker>`;
}

const thickness = (mark: string | null): string => (mark === null ? '' : 'stroke-width="2"');
const hint = (words: string): string => (words === '' ? '' : `<title>${inXml(words)}</title>`);

function rect({ x, y, width, height }: Area, radius: number, look: string, more: string): string {
  const stroke = more.includes('stroke-width') ? more : `stroke-width="1.2" ${more}`;
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" rx="${radius}" ${look} ${stroke}/>`;
}

function text(x: number, y: number, px: number, words: string, tone: Tone, more: string): string {
  return `<text x="${round(x)}" y="${round(y)}" font-size="${px}" ${ink(tone)} ${more}>${inXml(words)}</text>`;
}

/** The last digits of a float differ between machines; a drawing must not. */
const round = (value: number): number => Math.round(value * 10) / 10;

const attribute = (words: string): string => inXml(words);

function inXml(words: string): string {
  return words
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
