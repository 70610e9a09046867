/** FileTail reads the end of an audit file: the chains of earlier runs, and lines that those left unfinished. */
import type { KeyObject } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { type ChainPoint, openPiece, piecesIn, type SealedLine } from './sealed-line.ts';

export interface FileTail {
  /** The last line of each chain that no later chain has named yet, newest last. */
  readonly follows: readonly ChainPoint[];
  /** Digests of unfinished lines that no line of the log names yet. */
  readonly torn: readonly string[];
}

const TAIL_BYTES = 1024 * 1024;
/** More are not named: a first line must not grow with the number of crashes. */
const FOLLOWS_MAX = 32;
const TORN_MAX = 16;
const NEWLINE = 0x0a;

/** False for a file that cannot be read, such as a device. */
export function endsInMidLine(path: string): boolean {
  const tail = readTail(path, 1);
  return tail !== null && tail.length > 0 && tail[0] !== NEWLINE;
}

export function tailOf(path: string, key: KeyObject): FileTail {
  const lines = new Map<string, SealedLine>();
  const named = new Set<string>();
  const torn: string[] = [];
  for (const piece of piecesAtEnd(path)) {
    const opened = openPiece(key, piece);
    if (opened.kind === 'broken') torn.push(opened.digest);
    if (opened.kind !== 'sealed') continue;
    const { line } = opened;
    for (const digest of line.torn) named.add(digest);
    for (const { chain, seq } of line.follows) named.add(`${chain} ${seq}`);
    // Moves the chain to the end of the map.
    lines.delete(line.chain);
    lines.set(line.chain, line);
  }
  const follows = [...lines.values()]
    .filter(({ chain, seq }) => !named.has(`${chain} ${seq}`))
    .slice(-FOLLOWS_MAX)
    .map(({ chain, seq, mac }) => ({ chain, seq, mac }));
  return { follows, torn: torn.filter((digest) => !named.has(digest)).slice(-TORN_MAX) };
}

function piecesAtEnd(path: string): readonly string[] {
  const bytes = readTail(path, TAIL_BYTES);
  if (bytes === null) return [];
  const lines = bytes.toString('latin1').split('\n');
  // The first one is the end of a line whose beginning was not read.
  return lines.slice(bytes.length < TAIL_BYTES ? 0 : 1).flatMap((line) => [...piecesIn(line)]);
}

function readTail(path: string, maxBytes: number): Buffer | null {
  let descriptor: number | null = null;
  try {
    descriptor = openSync(path, 'r');
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) return null;
    const bytes = Buffer.alloc(Math.min(maxBytes, stat.size));
    const read = readSync(descriptor, bytes, 0, bytes.length, stat.size - bytes.length);
    return bytes.subarray(0, read);
  } catch {
    return null;
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}
