/** Names what a check of audit files can find, and where. */
import type { ChainPoint } from '../sealed-line.ts';

export interface Place {
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/**
 * `edited`: a byte of the line is not as written. `deleted`, `cut off`: lines are missing inside a file, or at an end.
 * `moved`: a genuine line stands in another place, or twice. `added`: a line that no instance with this key wrote.
 */
export type Tampering = 'edited' | 'deleted' | 'moved' | 'cut off' | 'added';

export interface Finding {
  readonly kind: Tampering;
  /** Null: the line names no chain. */
  readonly chain: string | null;
  /** Null: only a head that was kept elsewhere knows of the lines. */
  readonly place: Place | null;
  readonly what: string;
}

/** What an operator should know although nothing proves a change. */
export interface Note {
  readonly place: Place | null;
  readonly what: string;
}

export interface ChainSummary {
  readonly chain: string;
  readonly instance: string;
  readonly from: string;
  readonly to: string;
  readonly first: number;
  readonly last: ChainPoint;
  /** The place of the last line. */
  readonly end: Place;
  /** The highest line that a head outside this chain names, in these files or elsewhere. Null: no head does. */
  readonly named: number | null;
  /** Whether the last line is the head that a normal stop writes. */
  readonly hasStopped: boolean;
}

export interface Verdict {
  readonly findings: readonly Finding[];
  readonly notes: readonly Note[];
  readonly chains: readonly ChainSummary[];
  /** Sealed lines that are as written. */
  readonly lines: number;
}

export const at = ({ file, line }: Place): string => `${file}:${line}`;

/** `line 4`, or `lines 4–6`. */
export const linesFrom = (first: number, last: number): string =>
  first === last ? `line ${first}` : `lines ${first}–${last}`;

/** The order in which a reader meets places; what has no place comes last. */
export function byPlace(files: readonly string[]) {
  return (a: { readonly place: Place | null }, b: { readonly place: Place | null }): number => {
    if (a.place === null || b.place === null) return Number(a.place === null) - Number(b.place === null);
    return files.indexOf(a.place.file) - files.indexOf(b.place.file) || a.place.line - b.place.line;
  };
}
