/**
 * The answer: a pure function of the conversation.
 *
 * A1  Equal conversations give equal answers, in every process and at every time.
 * A2  A longer answer starts with the shorter one: only the length depends on the settings.
 * A3  Going on from any part of the answer gives exactly the rest, whether that part comes as ids or as text
 *     (unless a setting asks for the faults that real chat templates have).
 */

import { stripFaults } from '../protocol/faults.ts';
import type { ChatMessage } from './chat-template.ts';
import { FINDINGS, JOINTS, PHRASES } from './phrases.ts';
import { decode, decodeBytes, encode } from './tokenizer.ts';
import { bytesOf } from './vocabulary.ts';

const ECHOED_WORDS = 8;
const REMEMBERED_WORDS = 5;
const REMEMBERED_MESSAGES = 6;

/** `tokens` is a floor when it comes from the settings (no sentence is cut), exact when a fault asks. */
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

/** The part that shows a reader that the model has seen this message and the ones before it. */
function opening(messages: readonly ChatMessage[]): string {
  const said = messages
    .filter((message) => message.role === 'user')
    .map((message) => stripFaults(message.content));
  const last = said.at(-1) ?? '';
  const earlier = said
    .slice(0, -1)
    .slice(-REMEMBERED_MESSAGES)
    .map((text) => firstWords(text, REMEMBERED_WORDS));
  const everything = said.join('\n').toLowerCase();
  const findings = FINDINGS.filter((finding) => everything.includes(finding));
  return [
    `You said: ${firstWords(last, ECHOED_WORDS)}.`,
    ...(earlier.length > 0 ? [`Earlier you told me: ${earlier.join('; ')}.`] : []),
    ...(findings.length > 0 ? [`I note ${findings.join(', ')}.`] : []),
  ].join(' ');
}

function firstWords(text: string, count: number): string {
  return text
    .trim()
    .split(/\s+/)
    .slice(0, count)
    .join(' ')
    .replace(/[.,;:!?]+$/, '');
}

export interface TextContinuation {
  readonly trimContinuation: boolean;
  readonly retokenise: boolean;
}

/** What is left after `answered` ids: by count, so ids that end inside a character go on inside it. */
export function restAfterIds(ids: readonly number[], answered: readonly number[]): number[] {
  return ids.slice(answered.length);
}

/**
 * What is left after a text. Real servers spoil this in two ways, each behind its setting: the template trims
 * the partial message, so the model says the white space again; or the partial is tokenised anew, the model
 * sees a finished word where it was cut, and goes on with a new one.
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

/** xorshift32 seeded by the key: numbers that look random and are the same everywhere. */
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
