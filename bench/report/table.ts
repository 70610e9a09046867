/** Formats Markdown tables, and figures with their significant digits. */
export interface Section {
  readonly title: string;
  /** Markdown, without the title. */
  readonly body: string;
  /** Figures that the document's first tables repeat. */
  readonly facts?: Facts;
}

/** By path, as `extend/64/floor/perSecond`. */
export type Facts = Readonly<Record<string, number>>;

export type Row = readonly string[];

export function table(head: Row, rows: readonly Row[]): string {
  const line = (cells: Row) => `| ${cells.join(' | ')} |`;
  const rule = line(head.map((_, index) => (index === 0 ? '---' : '---:')));
  return [line(head), rule, ...rows.map(line)].join('\n');
}

/** Replaces a figure that was not measured; the run then fails. */
export const MISSING = '(missing)';

/** Three significant digits, with separators for thousands. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return MISSING;
  const size = Math.abs(value);
  if (size >= 1_000) return Number(value.toPrecision(3)).toLocaleString('en-US');
  if (size >= 100) return value.toFixed(0);
  return value.toFixed(size >= 10 ? 1 : 2);
}

export const percent = (share: number) =>
  Number.isFinite(share) ? `${(100 * share).toFixed(0)} %` : MISSING;
export const times = (ratio: number) => (Number.isFinite(ratio) ? `${figure(ratio)}×` : MISSING);
/** For ratios and shares, which are small. */
export const hundredths = (value: number) => (Number.isFinite(value) ? value.toFixed(2) : MISSING);
