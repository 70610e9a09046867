/**
 * Splits text into the words of the full-text index: letters and digits of one case, without accents. Neither database
 * tokenises on its own, so a search finds the same in both, and no character of a query is an operator.
 */
import { createHash } from 'node:crypto';
import type { ArchivedSession } from '../archive.ts';

const RUN = /[\p{L}\p{N}\p{M}]+/gu;
const WORD_MAX_CHARS = 64;
/** PostgreSQL refuses a row whose words exceed 1 MiB: such a session could never be archived. */
const WORDS_MAX_BYTES = 512 * 1_024;

export function wordsOf(text: string): readonly string[] {
  const folded = text
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase();
  return (folded.match(RUN) ?? []).map((word) => word.slice(0, WORD_MAX_CHARS));
}

/** The words of a text as written, with their positions. */
export function runsOf(text: string): readonly { readonly run: string; readonly index: number }[] {
  return [...text.matchAll(RUN)].map((found) => ({ run: found[0], index: found.index }));
}

/**
 * A word for the user and one for the diagnosis, longer than any word of a text. They let the full-text index filter by
 * user and diagnosis; otherwise a search would read every conversation with the words.
 */
export function scopeWords(scope: {
  readonly userId?: string | null;
  readonly diagnosisId?: string | null;
}): string[] {
  const { userId, diagnosisId } = scope;
  return [
    ...(userId == null ? [] : [`u${digest(userId)}`]),
    ...(diagnosisId == null ? [] : [`d${digest(diagnosisId)}`]),
  ];
}

function digest(id: string): string {
  return createHash('sha256').update(id).digest('hex');
}

/** The index entries of the conversation, each once. */
export function indexedWords(
  session: Pick<ArchivedSession, 'lines' | 'userId' | 'diagnosisId'>,
  mark: (word: string) => string,
): string {
  const found = new Set(scopeWords(session));
  const seen = new Set<string>();
  let bytes = 0;
  for (const { content } of session.lines) {
    for (const plain of wordsOf(content)) {
      if (seen.has(plain)) continue;
      seen.add(plain);
      const word = mark(plain);
      if (found.has(word)) continue;
      bytes += Buffer.byteLength(word) + 1;
      if (bytes > WORDS_MAX_BYTES) return [...found].join(' ');
      found.add(word);
    }
  }
  return [...found].join(' ');
}
