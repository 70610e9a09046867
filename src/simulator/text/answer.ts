/**
 * The answer is a pure function of the conversation.
 *
 * ANSWER-1  Equal conversations give equal answers, in every process and at every time.
 * ANSWER-2  A longer answer starts with the shorter one: only the length depends on the settings.
 * ANSWER-3  A continuation from any part of the answer is exactly the rest, whether that part comes as ids or as text
 *           (unless a setting asks for the faults of real chat templates).
 */
import type { ChatMessage } from './chat-template.ts';
import { decode, decodeBytes, encode } from './tokenizer.ts';
import { bytesOf } from './vocabulary.ts';
import { FINDINGS, JOINTS, PHRASES } from './words.ts';

const ECHOED_WORDS = 8;
const REMEMBERED_WORDS = 5;
const REMEMBERED_MESSAGES = 6;

/** The settings give the least `tokens` (no sentence is cut); a fault gives the exact number. */
export interface AnswerLength {
  readonly tokens: number;
  readonly exact: boolean;
}

export function answer(messages: readonly ChatMessage[], key: string, length: AnswerLength): number[] {
  const ids = encode(opening(messages));
  const draw = createDraw(key);
  while (ids.length < length.tokens) {
    const phrase = `${pick(JOINTS, draw())}${pick(PHRASES, draw())}`;
    for (const id of encode(phrase)) ids.push(id);
  }
  return length.exact ? ids.slice(0, length.tokens) : ids;
}

/** Shows a reader that the model has seen this message and the ones before it. */
function opening(messages: readonly ChatMessage[]): string {
  const questions = messages.filter(({ role }) => role === 'user').map(({ content }) => content);
  const last = questions.at(-1) ?? '';
  const earlier = questions
    .slice(-REMEMBERED_MESSAGES - 1, -1)
    .map((text) => firstWords(text, REMEMBERED_WORDS));
  const everything = questions.join('\n').toLowerCase();
  const findings = FINDINGS.filter((finding) => everything.includes(finding));
  return [
    `You said: ${firstWords(last, ECHOED_WORDS)}.`,
    ...(earlier.length > 0 ? [`Earlier you told me: ${earlier.join('; ')}.`] : []),
    ...(findings.length > 0 ? [`I note ${findings.join(', ')}.`] : []),
  ].join(' ');
}

function firstWords(text: string, count: number): string {
  const words = text.trim().split(/\s+/).slice(0, count);
  return words.join(' ').replace(/[.,;:!?]+$/, '');
}

export interface TextContinuation {
  readonly trimContinuation: boolean;
  readonly retokenise: boolean;
}

/** The rest after `answered` ids: by count, so that ids which end inside a character continue inside it. */
export function restAfterIds(ids: readonly number[], answered: readonly number[]): number[] {
  return ids.slice(answered.length);
}

/**
 * The rest of the answer after a text. Real servers spoil it in two ways, each behind its setting. A template that trims
 * the partial message makes the model repeat the white space. A server that tokenises it again shows the model a
 * finished word at the cut, and the model continues with a new word.
 */
export function restAfterText(ids: readonly number[], partial: string, how: TextContinuation): number[] {
  const seen = how.trimContinuation ? partial.trimEnd() : partial;
  const seenBytes = Buffer.from(seen, 'utf8');
  const all = decodeBytes(ids);
  if (!all.subarray(0, seenBytes.length).equals(seenBytes)) return ids.slice(encode(seen).length);
  const rest = bytesAfter(ids, seenBytes.length);
  const insideWord = /\p{L}$/u.test(seen) && /^\p{L}/u.test(decode(rest.slice(0, 8)));
  return how.retokenise && insideWord ? [...encode(' '), ...rest] : rest;
}

function bytesAfter(ids: readonly number[], byteCount: number): number[] {
  let bytes = 0;
  for (let index = 0; index < ids.length; index += 1) {
    if (bytes === byteCount) return ids.slice(index);
    const piece = bytesOf(ids[index] ?? 0);
    bytes += piece.length;
    if (bytes > byteCount)
      return [...piece.subarray(piece.length - (bytes - byteCount)), ...ids.slice(index + 1)];
  }
  return [];
}

/** xorshift32, seeded by the key: every process draws the same numbers. */
function createDraw(key: string): () => number {
  let state = Number.parseInt(key.slice(0, 8), 16) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

function pick(from: readonly string[], number: number): string {
  return from[number % from.length] ?? '';
}
