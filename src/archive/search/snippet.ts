/** Cuts the places with the words of a search out of a conversation, as one line of plain text. */
import { runsOf, wordsOf } from './search-words.ts';

const AROUND_CHARS = 50;
const PIECES_MAX = 6;

export function snippetOf(contents: readonly string[], words: readonly string[]): string {
  const missing = new Set(words);
  const pieces: string[] = [];
  for (const content of contents) {
    for (const { run, index } of runsOf(content)) {
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
