/**
 * The tokenizer turns text into ids and back. `decode(encode(text))` is `text` for every well-formed string; a lone
 * surrogate becomes U+FFFD, as on any wire.
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
  /** One U+FFFD if the stream ends inside a character, as from vLLM's detokeniser; otherwise nothing. */
  flush(): string;
}

/** The longest character has four bytes, so this many ids hold any unfinished one. */
const PRIMING_IDS = 8;

/**
 * Decodes id by id and holds back the bytes of an unfinished character. The end of the prompt primes it: otherwise a
 * continuation of ids that end inside an emoji would give two U+FFFD.
 */
export function createStreamDecoder(promptIds: readonly number[]): StreamDecoder {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  decoder.decode(decodeBytes(promptIds.slice(-PRIMING_IDS)), { stream: true });
  return {
    push: (id) => decoder.decode(bytesOf(id), { stream: true }),
    flush: () => decoder.decode(),
  };
}
