/**
 * Seals text for the archive's rows if there are keys, and opens it again.
 *
 *  FIELD-1  Sealed text is bound to its life of a session and its place there.
 *  FIELD-2  The full-text index holds keyed hashes of words. They differ from key to key, so a search asks for those of
 *           every key. An operator may drop a key once no row needs it.
 *  FIELD-3  Equal patterns of one key have equal sealed texts, because the database counts them: a reader of the rows sees
 *           which are equal.
 */
import { followKeys, type SealingKeys } from '../sealing/key-ring.ts';
import { blindWith, keyFor } from '../sealing/keys.ts';
import { createSealer, isSealed } from '../sealing/sealer.ts';
import { archiveError } from './database/failure.ts';

/** One life of a session. */
export interface Life {
  readonly session_id: string;
  readonly created_at: number;
}

export interface FieldCipher {
  write(life: Life, place: string, text: string): string;
  /** Throws ARCHIVE_SEALED if no key opens the text. */
  read(life: Life, place: string, stored: string): string;
  writePattern(pattern: string): string;
  readPattern(stored: string): string;
  /** In how many ways one pattern may be stored: one for each key, and plain. */
  spellings(): number;
  /** The word's entry in the index. */
  mark(word: string): string;
  /** The entries of these words for each key; a conversation matches by any of the sets. */
  marks(words: readonly string[]): readonly (readonly string[])[];
}

export const ARCHIVE_PURPOSE = 'archive';
const MARK_CHARS = 32;
/** Scope and place of every pattern. */
export const PATTERNS = 'patterns';

export function fieldCipherOf({ ring, plain }: SealingKeys): FieldCipher {
  const sealer = createSealer(ring, ARCHIVE_PURPOSE);
  const markers = followKeys(ring, (keys) =>
    keys.map((key) => {
      const blind = blindWith(keyFor(key, 'archive-words'));
      return (word: string) => blind(word).slice(0, MARK_CHARS);
    }),
  );
  const seals = ring.current().length > 0;

  function opened(scope: string, place: string, stored: string): string {
    if (plain === 'read' && !isSealed(stored)) return stored;
    const found = sealer.open(scope, place, stored);
    if (found.kind === 'opened') return found.text;
    throw archiveError('ARCHIVE_SEALED', `${place} of ${scope} cannot be opened: ${found.why}`);
  }

  return {
    write: (life, place, text) => (seals ? sealer.seal(scopeOf(life), place, text) : text),
    read: (life, place, stored) => opened(scopeOf(life), place, stored),
    writePattern: (pattern) => (seals ? sealer.sealAlike(PATTERNS, PATTERNS, pattern) : pattern),
    readPattern: (stored) => opened(PATTERNS, PATTERNS, stored),
    spellings: () => ring.current().length + 1,
    mark: (word) => markers()[0]?.(word) ?? word,
    marks: (words) => [...markers().map((mark) => words.map(mark)), ...(plain === 'read' ? [words] : [])],
  };
}

export function scopeOf({ session_id, created_at }: Life): string {
  return `${session_id}/${created_at}`;
}
