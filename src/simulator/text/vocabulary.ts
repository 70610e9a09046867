/**
 * The vocabulary is a fixed, reversible map between ids and bytes, the same in every process.
 *
 * VOCAB-1  Ids 0–255 are the 256 bytes, so that every text has an encoding.
 * VOCAB-2  Ids 256–271 are control tokens. They have no text: a user who types a role marker cannot forge one.
 * VOCAB-3  Ids from 272 on are the pieces of words.ts in their order.
 */
import { FRAGMENTS, GLUE, WORDS } from './words.ts';

export const END = 257;
const ROLE_IDS = { system: 258, user: 259, assistant: 260, tool: 261, developer: 262 } as const;
const FIRST_PIECE = 272;

export type TemplateRole = keyof typeof ROLE_IDS;

export function roleId(role: TemplateRole): number {
  return ROLE_IDS[role];
}

const ROLES = new Map(Object.entries(ROLE_IDS).map(([role, id]) => [id as number, role as TemplateRole]));

export function roleOf(id: number): TemplateRole | null {
  return ROLES.get(id) ?? null;
}

export function isTemplateRole(name: unknown): name is TemplateRole {
  return typeof name === 'string' && Object.hasOwn(ROLE_IDS, name);
}

const capitalised = (word: string): string => word.slice(0, 1).toUpperCase() + word.slice(1);

const PIECES: readonly string[] = [
  ...GLUE,
  ...FRAGMENTS,
  ...WORDS.flatMap((word) => [word, ` ${word}`, capitalised(word), ` ${capitalised(word)}`]),
];

const NO_BYTES = Buffer.alloc(0);
const BYTES_BY_ID: readonly Buffer[] = [
  ...Array.from({ length: 256 }, (_, byte) => Buffer.from([byte])),
  ...Array.from({ length: FIRST_PIECE - 256 }, () => NO_BYTES),
  ...PIECES.map((piece) => Buffer.from(piece, 'utf8')),
];

export const VOCABULARY_SIZE = BYTES_BY_ID.length;

/** The bytes of an id; control tokens and ids beyond the vocabulary have none. */
export function bytesOf(id: number): Buffer {
  return BYTES_BY_ID[id] ?? NO_BYTES;
}

interface TrieNode {
  readonly next: Map<number, TrieNode>;
  id: number | null;
}

const ROOT: TrieNode = { next: new Map(), id: null };
PIECES.forEach((piece, index) => {
  let node = ROOT;
  for (let at = 0; at < piece.length; at += 1) {
    const unit = piece.charCodeAt(at);
    let child = node.next.get(unit);
    if (child === undefined) {
      child = { next: new Map(), id: null };
      node.next.set(unit, child);
    }
    node = child;
  }
  node.id ??= FIRST_PIECE + index;
});

export interface PieceMatch {
  readonly id: number;
  /** In UTF-16 units. */
  readonly length: number;
}

/** The longest piece that starts at `start`, in one walk down the trie. */
export function longestPiece(text: string, start: number): PieceMatch | null {
  let node: TrieNode | undefined = ROOT;
  let best: PieceMatch | null = null;
  for (let at = start; at < text.length; at += 1) {
    node = node.next.get(text.charCodeAt(at));
    if (node === undefined) break;
    if (node.id !== null) best = { id: node.id, length: at - start + 1 };
  }
  return best;
}
