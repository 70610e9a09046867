/**
 * The chat template renders `<role> content <end>` per message, then an open `<assistant>` for the answer.
 * /v1/completions reads it backwards: it finds the messages in a prompt of ids.
 */
import { createHash } from 'node:crypto';
import { decode, encode } from './tokenizer.ts';
import { END, roleId, roleOf, type TemplateRole } from './vocabulary.ts';

export interface ChatMessage {
  readonly role: TemplateRole;
  readonly content: string;
}

export interface ParsedPrompt {
  readonly messages: readonly ChatMessage[];
  /** The part of the answer that the prompt already has. */
  readonly answered: readonly number[];
  /** Hash of the messages without the answer: equal for a request and for every continuation of it. */
  readonly key: string;
}

/** Every request repeats the messages before it. */
const MESSAGES_KEPT = 1_000;
const encoded = new Map<string, readonly number[]>();

function idsOf(content: string): readonly number[] {
  const known = encoded.get(content);
  if (known !== undefined) return known;
  if (encoded.size >= MESSAGES_KEPT) encoded.clear();
  const ids = encode(content);
  encoded.set(content, ids);
  return ids;
}

export function render(messages: readonly ChatMessage[], addGenerationPrompt: boolean): number[] {
  const ids: number[] = [];
  for (const message of messages) {
    ids.push(roleId(message.role));
    for (const id of idsOf(message.content)) ids.push(id);
    ids.push(END);
  }
  if (addGenerationPrompt) ids.push(roleId('assistant'));
  return ids;
}

/** Leaves the last message open: the model continues inside it. */
export function renderOpen(messages: readonly ChatMessage[]): number[] {
  return render(messages, false).slice(0, -1);
}

/** Ids without a role marker are one user message: a plain completion prompt. */
export function parsePrompt(promptIds: readonly number[]): ParsedPrompt {
  const messages: ChatMessage[] = [];
  let role: TemplateRole | null = null;
  let content: number[] = [];
  const takeMessage = (): void => {
    if (content.length > 0 || role !== null)
      messages.push({ role: role ?? 'user', content: decode(content) });
  };
  for (const id of promptIds) {
    const marker = roleOf(id);
    if (marker === null && id !== END) {
      content.push(id);
      continue;
    }
    takeMessage();
    role = marker;
    content = [];
  }
  const answered = role === 'assistant' ? content : [];
  if (role !== 'assistant') takeMessage();
  return { messages, answered, key: conversationKey(messages) };
}

function conversationKey(messages: readonly ChatMessage[]): string {
  const ids = Uint32Array.from(render(messages, true));
  return createHash('sha256').update(ids).digest('hex');
}
