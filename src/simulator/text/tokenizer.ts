/**
 * Text to ids and back. `decode(encode(text))` is `text` for every well-formed string; a lone surrogate
 * becomes U+FFFD, as it would on any wire.
 */
import { bytesOf, longestPiece } from './vocabulary.ts';

export function encode(text: string): number[] {
  const ids: number[] = [];
  let at = 0;
  while (at < text.length) {
    const piece = longestPiece(text, at);
    if (piece !== null) {
      ids.push(piece.id);
      at += piece.length;
      continue;
    }
    const point = text.codePointAt(at) ?? 0xfffd;
    const character = String.fromCodePoint(point);
    for (const byte of Buffer.from(character, 'utf8')) ids.push(byte);
    at += character.length;
  }
  return ids;
}

export function decodeBytes(ids: readonly number[]): Buffer {
  return Buffer.concat(ids.map(bytesOf));
}

export function decode(ids: readonly number[]): string {
  return decodeBytes(ids).toString('utf8');
}

export interface StreamDecoder {
  push(id: number): string;
  /** What is left when the stream ends inside a character: one U+FFFD, as vLLM's detokeniser gives. */
  flush(): string;
}

/** Four bytes make the longest character, so this many ids hold any unfinished one. */
const PRIMING_IDS = 8;

/**
 * Decodes id by id and holds back the bytes of an unfinished character. It is primed with the end of the
 * prompt: without that, continuing from ids that end inside an emoji would give two U+FFFD instead of it.
 */
export function createStreamDecoder(promptIds: readonly number[]): StreamDecoder {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  decoder.decode(decodeBytes(promptIds.slice(-PRIMING_IDS)), { stream: true });
  return {
    push: (id) => decoder.decode(bytesOf(id), { stream: true }),
    flush: () => decoder.decode(),
  };
}
