/**
 * Reading takes the lines of audit files, one after the other, and keeps runs: genuine lines of one chain that follow each
 * other in one file. So a whole log needs memory for its chains, not for its lines.
 */
import type { KeyObject } from 'node:crypto';
import { type ChainPoint, openPiece, piecesIn, type SealedLine } from '../sealed-line.ts';
import type { Place } from './findings.ts';

export interface Run {
  readonly file: string;
  readonly first: SealedLine;
  readonly firstLine: number;
  last: SealedLine;
  lastLine: number;
}

/** A line that is not as any instance wrote it. */
export interface BrokenPiece {
  readonly place: Place;
  readonly chain: string | null;
  readonly digest: string;
  /** The last of its file, without a line end. */
  isEnd: boolean;
}

export interface Link {
  readonly place: Place;
  readonly from: string;
  readonly to: ChainPoint;
}

export class Reading {
  readonly files: string[] = [];
  /** By chain, in the order of reading. */
  readonly runs = new Map<string, Run[]>();
  readonly broken: BrokenPiece[] = [];
  readonly links: Link[] = [];
  /** Unfinished lines for which a genuine head answers. */
  readonly torn = new Set<string>();
  /** Lines without a chain, behind a sealed line of their file. */
  readonly added: Place[] = [];
  /** How many lines without a chain stand before the first sealed one, by file. */
  readonly unsealed = new Map<string, number>();
  /** Sealed lines by file. */
  readonly sealed = new Map<string, number>();
  readonly #key: KeyObject;
  #line = 0;

  constructor(key: KeyObject) {
    this.#key = key;
  }

  startFile(file: string): void {
    this.files.push(file);
    this.#line = 0;
  }

  /** `text` is a physical line, read as latin1, without its end. */
  take(text: string): void {
    this.#line += 1;
    for (const piece of piecesIn(text)) this.#takePiece(piece);
  }

  /** Ends the file. `isWhole`: its last line has a line end. */
  endFile(isWhole: boolean): void {
    const last = this.broken.at(-1);
    if (!isWhole && last?.place.file === this.#file && last.place.line === this.#line) last.isEnd = true;
  }

  get #file(): string {
    return this.files.at(-1) ?? '';
  }

  #takePiece(piece: string): void {
    const place = { file: this.#file, line: this.#line };
    const opened = openPiece(this.#key, piece);
    switch (opened.kind) {
      case 'sealed':
        return this.#takeLine(opened.line, place);
      case 'broken':
        this.broken.push({ place, chain: opened.chain, digest: opened.digest, isEnd: false });
        return;
      case 'unsealed': {
        if (this.sealed.has(place.file)) this.added.push(place);
        else this.unsealed.set(place.file, (this.unsealed.get(place.file) ?? 0) + 1);
        return;
      }
      case 'foreign':
        return;
    }
  }

  #takeLine(line: SealedLine, place: Place): void {
    this.sealed.set(place.file, (this.sealed.get(place.file) ?? 0) + 1);
    for (const digest of line.torn) this.torn.add(digest);
    for (const to of line.follows) this.links.push({ place, from: line.chain, to });
    const runs = this.runs.get(line.chain) ?? [];
    this.runs.set(line.chain, runs);
    const run = runs.at(-1);
    const isNext = run?.file === place.file && run.last.seq + 1 === line.seq && run.last.mac === line.prev;
    if (run !== undefined && isNext) {
      run.last = line;
      run.lastLine = place.line;
    } else
      runs.push({ file: place.file, first: line, firstLine: place.line, last: line, lastLine: place.line });
  }
}
