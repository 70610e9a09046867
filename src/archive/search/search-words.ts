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

const AROUND_CHARS = 50;
const PIECES_MAX = 6;

export function wordsOf(text: string): readonly string[] {
  const folded = text
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase();
  return (folded.match(RUN) ?? []).map((word) => word.slice(0, WORD_MAX_CHARS));
}

/**
 * Words for the tenant, the user and the diagnosis, longer than any word of a text. They let the full-text index filter;
 * otherwise a search would read every conversation with the words. The default tenant has no word.
 */
export function scopeWords(scope: {
  readonly tenant: string;
  readonly userId?: string | null;
  readonly diagnosisId?: string | null;
}): string[] {
  const { tenant, userId, diagnosisId } = scope;
  return [
    ...(tenant === '' ? [] : [`t${digest(tenant)}`]),
    ...(userId == null ? [] : [`u${digest(userId)}`]),
    ...(diagnosisId == null ? [] : [`d${digest(diagnosisId)}`]),
  ];
}

function digest(id: string): string {
  return createHash('sha256').update(id).digest('hex');
}

/** The index entries of the conversation, each once. */
export function indexedWords(
  session: Pick<ArchivedSession, 'lines' | 'tenant' | 'userId' | 'diagnosisId'>,
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

/** The places with the words of a search in a conversation, as one line of plain text. */
export function snippetOf(contents: readonly string[], words: readonly string[]): string {
  const missing = new Set(words);
  const pieces: string[] = [];
  for (const content of contents) {
    for (const { 0: run, index } of content.matchAll(RUN)) {
      if (missing.size === 0 || pieces.length === PIECES_MAX) return pieces.join(' … ');
      if (!wordsOf(run).some((word) => missing.has(word))) continue;
      const piece = cut(content, index, index + run.length);
      pieces.push(piece);
      for (const word of wordsOf(piece)) missing.delete(word);
    }
  }
  return pieces.join(' … ');
}

/** The text around a place; it ends between words. */
function cut(content: string, start: number, end: number): string {
  const before = content.slice(Math.max(0, start - AROUND_CHARS), start);
  const after = content.slice(end, end + AROUND_CHARS);
  const head = start > AROUND_CHARS ? before.slice(before.search(/\s|$/)) : before;
  const tail = end + AROUND_CHARS < content.length ? after.slice(0, after.search(/\s\S*$/) + 1) : after;
  return `${head}${content.slice(start, end)}${tail}`.replace(/\s+/g, ' ').trim();
}
