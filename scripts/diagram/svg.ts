// Draws a laid-out machine as one SVG without script, style sheet or font, so that it looks the same in a README, in a
// review and in an image viewer.

import type { TransitionKind } from './describe.ts';
import { HEAD_HEIGHT, ROW_HEIGHT, TEXT_PX, TITLE_PX } from './graph.ts';
import type { Box, Layout, Line, Pill, StateBox } from './layout.ts';

const COLOURS: Readonly<Record<TransitionKind, string>> = {
  event: '#1d4ed8',
  after: '#b45309',
  done: '#047857',
  error: '#b91c1c',
  always: '#6b7280',
};
const INK = '#0f172a';
const QUIET = '#475569';
const RIM = '#94a3b8';
/** Backgrounds by depth: outer, group, leaf. */
const FILLS = ['#ffffff', '#f8fafc', '#ffffff'] as const;

const LEGEND: readonly (readonly [TransitionKind, string])[] = [
  ['event', 'event'],
  ['after', 'after a delay'],
  ['done', 'job done'],
  ['error', 'job failed'],
  ['always', 'immediate'],
];
const READING =
  'pill: transition [guard] · row: actions and events inside a state · anywhere: transition from every state of the box';
const MARGIN = 16;
const LEGEND_HEIGHT = 64;

export function drawSvg(layout: Layout, title: string): string {
  const width = round(layout.width + 2 * MARGIN);
  const height = round(layout.height + 2 * MARGIN + LEGEND_HEIGHT);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="Inter, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif" role="img">`,
    `<title>${inXml(title)}</title>`,
    `<defs>${[...Object.values(COLOURS), INK].map(arrowHead).join('')}</defs>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<g transform="translate(${MARGIN} ${MARGIN})">`,
    ...layout.states.map(drawState),
    ...layout.lines.map(drawLine),
    ...layout.dots.map(drawDot),
    ...layout.chips.map(drawChip),
    // Last, so that no line crosses a text.
    ...layout.lines.flatMap(({ pills }) => pills.map(drawPill)),
    '</g>',
    drawLegend(height - LEGEND_HEIGHT + 8),
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}

function drawState({ state, rows, x, y, width, height }: StateBox): string {
  const depth = state.id.split('.').length - 1;
  const final = state.type === 'final';
  const parts = [
    rect(x, y, width, height, 9, FILLS[Math.min(depth, FILLS.length - 1)] ?? '#ffffff', RIM, 1.3),
    final ? rect(x + 3.5, y + 3.5, width - 7, height - 7, 6, 'none', RIM, 1.3) : '',
    text(x + 12, y + 20, TITLE_PX, state.key, INK, 'font-weight="600"'),
    ...rows.map((row, index) =>
      text(x + 12, y + HEAD_HEIGHT + 8 + index * ROW_HEIGHT, TEXT_PX, row, QUIET, ''),
    ),
  ];
  return `<g id="${inXml(state.id)}">${parts.join('')}</g>`;
}

function drawLine({ points, kind }: Line): string {
  const colour = kind === null ? INK : COLOURS[kind];
  const path = points.map(({ x, y }, index) => `${index === 0 ? 'M' : 'L'}${round(x)} ${round(y)}`).join('');
  return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="1.4" stroke-linejoin="round" marker-end="url(#${headId(colour)})"/>`;
}

function drawPill({ x, y, width, height, text: words, kind }: Pill): string {
  const colour = COLOURS[kind];
  return [
    rect(x, y, width, height, height / 2, '#ffffff', colour, 1),
    text(x + width / 2, y + 14, TEXT_PX, words, colour, 'text-anchor="middle"'),
  ].join('');
}

function drawDot({ x, y, width }: Box): string {
  return `<circle cx="${round(x + width / 2)}" cy="${round(y + width / 2)}" r="${round(width / 2)}" fill="${INK}"/>`;
}

function drawChip({ x, y, width, height }: Box): string {
  return [
    rect(x, y, width, height, 5, '#ffffff', RIM, 1.2, 'stroke-dasharray="4 3"'),
    text(x + width / 2, y + 15, TEXT_PX, 'anywhere', QUIET, 'text-anchor="middle" font-style="italic"'),
  ].join('');
}

function drawLegend(top: number): string {
  let x = MARGIN + 2;
  const parts: string[] = [];
  for (const [kind, words] of LEGEND) {
    const width = Math.ceil(words.length * TEXT_PX * 0.6) + 20;
    parts.push(drawPill({ x, y: top, width, height: 20, text: words, kind }));
    x += width + 10;
  }
  parts.push(text(MARGIN + 4, top + 40, TEXT_PX, READING, QUIET, ''));
  return `<g>${parts.join('')}</g>`;
}

function arrowHead(colour: string): string {
  return `<marker id="${headId(colour)}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" fill="${colour}"/></marker>`;
}

const headId = (colour: string): string => `head-${colour.slice(1)}`;

function rect(
  x: number,
  y: number,
  width: number,
  height: number,
  radius: number,
  fill: string,
  stroke: string,
  strokeWidth: number,
  more = '',
): string {
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" rx="${round(radius)}" fill="${fill}" stroke="${stroke}" stroke-width="${strokeWidth}" ${more}/>`;
}

function text(x: number, y: number, px: number, words: string, fill: string, more: string): string {
  return `<text x="${round(x)}" y="${round(y)}" font-size="${px}" fill="${fill}" ${more}>${inXml(words)}</text>`;
}

/** The last digits of a float differ between machines; a drawing must not. */
const round = (value: number): number => Math.round(value * 10) / 10;

function inXml(words: string): string {
  return words
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
