/**
 * The chat template: `<role> content <end>` per message, then an open `<assistant>` for the answer.
 * It can be read backwards, so that /v1/completions finds the conversation again in nothing but ids.
 */
import { createHash } from 'node:crypto';
import { decode, encode } from './tokenizer.ts';
import { END, roleId, roleOf, type TemplateRole } from './vocabulary.ts';

export interface ChatMessage {
  readonly role: TemplateRole;
  readonly content: string;
}

export interface Conversation {
  readonly messages: readonly ChatMessage[];
  /** What of the answer is in the prompt already. */
  readonly answered: readonly number[];
  /** Hash of the conversation without the answer: equal for a request and for every continuation of it. */
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

/** The template with the last message left open: the model goes on inside it. */
export function renderOpen(messages: readonly ChatMessage[]): number[] {
  return render(messages, false).slice(0, -1);
}

/** Ids without a role marker are one user message: a plain completion prompt. */
export function readConversation(promptIds: readonly number[]): Conversation {
  const messages: ChatMessage[] = [];
  let role: TemplateRole | null = null;
  let content: number[] = [];
  for (const id of promptIds) {
    const marker = roleOf(id);
    if (marker === null && id !== END) {
      content.push(id);
      continue;
    }
    if (content.length > 0 || role !== null)
      messages.push({ role: role ?? 'user', content: decode(content) });
    role = marker;
    content = [];
  }
  if (role === 'assistant') return { messages, answered: content, key: conversationKey(messages) };
  if (content.length > 0 || role !== null) messages.push({ role: role ?? 'user', content: decode(content) });
  return { messages, answered: [], key: conversationKey(messages) };
}

function conversationKey(messages: readonly ChatMessage[]): string {
  const ids = Uint32Array.from(render(messages, true));
  return createHash('sha256').update(ids).digest('hex');
}
