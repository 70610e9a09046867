// The colours of the drawings. Each shape carries its colour for light paper, so that a viewer without style sheets and a
// printer show it right; the style sheet of the picture replaces them on a dark screen.

export type Tone = 'event' | 'after' | 'done' | 'error' | 'always' | 'ink' | 'quiet' | 'rim' | MarkTone;
type MarkTone = 'added' | 'removed' | 'changed' | 'covered' | 'missing';
export type Fill = 'paper' | 'outer' | 'group' | 'leaf';

const TONES: Readonly<Record<Tone, readonly [light: string, dark: string]>> = {
  event: ['#1d4ed8', '#7eb0ff'],
  after: ['#a33f00', '#f0a35e'],
  done: ['#047857', '#4fd1a1'],
  error: ['#b91c1c', '#ff8f8f'],
  always: ['#57606a', '#aab4c0'],
  ink: ['#0f172a', '#e6edf3'],
  quiet: ['#475569', '#a9b4c2'],
  rim: ['#8b98a9', '#5d6b7d'],
  added: ['#047857', '#4fd1a1'],
  removed: ['#b91c1c', '#ff8f8f'],
  changed: ['#a33f00', '#f0a35e'],
  covered: ['#047857', '#4fd1a1'],
  missing: ['#b91c1c', '#ff8f8f'],
};
const FILLS: Readonly<Record<Fill, readonly [light: string, dark: string]>> = {
  paper: ['#ffffff', '#0d1117'],
  outer: ['#ffffff', '#0d1117'],
  group: ['#f6f8fb', '#161b22'],
  leaf: ['#ffffff', '#0d1117'],
};

export const TONE_NAMES = Object.keys(TONES) as readonly Tone[];

export const ink = (tone: Tone): string => `class="t-${tone}" fill="${TONES[tone][0]}"`;
export const outline = (tone: Tone, fill: Fill | null): string =>
  fill === null
    ? `class="s-${tone}" fill="none" stroke="${TONES[tone][0]}"`
    : `class="s-${tone} f-${fill}" fill="${FILLS[fill][0]}" stroke="${TONES[tone][0]}"`;
export const paper = (fill: Fill): string => `class="f-${fill}" fill="${FILLS[fill][0]}"`;

/** `used` are the tones that the drawing has. */
export function styleSheet(): string {
  const rules = [
    ...TONE_NAMES.map((tone) => `.t-${tone}{fill:${TONES[tone][1]}}.s-${tone}{stroke:${TONES[tone][1]}}`),
    ...Object.entries(FILLS).map(([fill, [, dark]]) => `.f-${fill}{fill:${dark}}`),
  ];
  return `<style>@media screen and (prefers-color-scheme:dark){${rules.join('')}}</style>`;
}
