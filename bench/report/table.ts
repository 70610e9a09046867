/** Markdown, and figures with as many digits as they deserve. */
export interface Section {
  readonly title: string;
  /** Markdown, without the title. */
  readonly body: string;
}

export type Row = readonly string[];

export function table(head: Row, rows: readonly Row[]): string {
  const line = (cells: Row) => `| ${cells.join(' | ')} |`;
  const rule = line(head.map((_, index) => (index === 0 ? '---' : '---:')));
  return [line(head), rule, ...rows.map(line)].join('\n');
}

/** Three digits that mean something, thousands apart. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size >= 1_000) return Number(value.toPrecision(3)).toLocaleString('en-US');
  if (size >= 100) return value.toFixed(0);
  return value.toFixed(size >= 10 ? 1 : 2);
}

export const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
export const times = (ratio: number) => (Number.isFinite(ratio) ? `${figure(ratio)}×` : '–');
