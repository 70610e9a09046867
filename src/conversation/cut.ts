/** Shortens a text in its middle and leaves a visible mark: a silent cut would read as the whole text. */
import type { Message } from '../generation/port.ts';
import type { TokenCounter } from './tokens/token-counter.ts';

/** The beginning of a text, without half an emoji at its end: some servers refuse half a character. */
export function clip(text: string, charsMax: number): string {
  return text.length <= charsMax ? text : text.slice(0, charsMax).replace(/[\uD800-\uDBFF]$/, '');
}

/** Keeps `keptChars` characters, half from either end, because the question is often at one of them. */
export function cutMiddle(text: string, keptChars: number): string {
  if (keptChars >= text.length) return text;
  const head = Math.ceil(Math.max(0, keptChars) / 2);
  const tail = Math.floor(Math.max(0, keptChars) / 2);
  const left = text.length - head - tail;
  const mark = `[… ${left} characters left out …]`;
  const start = clip(text, head);
  const end = tail === 0 ? '' : text.slice(-tail).replace(/^[\uDC00-\uDFFF]/, '');
  return [start, mark, end].filter((part) => part !== '').join('\n');
}

/** A cut would not shorten a text of at most this length. */
export const MARK_CHARS = 64;

/** Cuts the text until its cost is within the limit; if even the mark is too long, returns the mark. */
export async function cutToFit(
  text: string,
  role: Message['role'],
  limitTokens: number,
  counter: TokenCounter,
): Promise<string> {
  if (text.length <= MARK_CHARS) return text;
  let kept = text.length;
  let cut = text;
  while (kept > 0) {
    const [cost = 0] = await counter.costs([{ role, content: cut }]);
    if (cost <= limitTokens) return cut;
    // The mark costs tokens too, so a cut by proportion alone might never end.
    kept = Math.min(kept - 16, Math.floor(kept * Math.max(0, limitTokens / cost) * 0.97));
    cut = cutMiddle(text, kept);
  }
  return cut;
}
