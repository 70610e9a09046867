/**
 * How words are written into the archive's rows: as they are, or sealed, once there are keys.
 *
 *  K1  Sealed text is bound to its life of a session and its place in it.
 *  K2  The full-text index holds keyed hashes of words. Each key has marks of its own, so a search asks for those of
 *      every key, and a key may go once nothing is kept any more that was written with it.
 *  K3  A pattern that is counted by the database is sealed alike each time: who reads the rows sees which are equal.
 */
import { blindWith, keyFor, type SealingKeys } from '../sealing/keys.ts';
import { createSealer, isSealed } from '../sealing/sealer.ts';
import { archiveError } from './database/failure.ts';

/** One life of a session. */
export interface Life {
  readonly session_id: string;
  readonly created_at: number;
}

export interface FieldCipher {
  write(life: Life, place: string, text: string): string;
  /** Rejects with ARCHIVE_SEALED what no key opens. */
  read(life: Life, place: string, stored: string): string;
  writePattern(pattern: string): string;
  readPattern(stored: string): string;
  /** What stands for a word in the index. */
  mark(word: string): string;
  /** All ways in which these words may stand there; a conversation is found by any of them. */
  marks(words: readonly string[]): readonly (readonly string[])[];
}

const MARK_CHARS = 32;
const PATTERNS = 'patterns';

export function fieldCipherOf({ keys, plain }: SealingKeys): FieldCipher {
  const sealer = createSealer(keys, 'archive');
  const markers = keys.map((key) => {
    const blind = blindWith(keyFor(key, 'archive-words'));
    return (word: string) => blind(word).slice(0, MARK_CHARS);
  });
  const [marker] = markers;

  function opened(scope: string, place: string, stored: string): string {
    if (plain === 'read' && !isSealed(stored)) return stored;
    const found = sealer.open(scope, place, stored);
    if (found.kind === 'opened') return found.text;
    throw archiveError('ARCHIVE_SEALED', `${place} of ${scope} cannot be opened: ${found.why}`);
  }

  return {
    write: (life, place, text) => (marker === undefined ? text : sealer.seal(scopeOf(life), place, text)),
    read: (life, place, stored) => opened(scopeOf(life), place, stored),
    writePattern: (pattern) =>
      marker === undefined ? pattern : sealer.sealAlike(PATTERNS, PATTERNS, pattern),
    readPattern: (stored) => opened(PATTERNS, PATTERNS, stored),
    mark: (word) => (marker === undefined ? word : marker(word)),
    marks: (words) => [...markers.map((mark) => words.map(mark)), ...(plain === 'read' ? [words] : [])],
  };
}

function scopeOf({ session_id, created_at }: Life): string {
  return `${session_id}/${created_at}`;
}
