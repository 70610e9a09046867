/** Reads what a request wants answered: the prompt as ids, and how far its answer has already come. */

import { badRequest, invalidField, type Refusal } from '../protocol/refusals.ts';
import {
  type ChatMessage,
  type Conversation,
  readConversation,
  render,
  renderOpen,
} from './chat-template.ts';
import { encode } from './tokenizer.ts';
import { isTemplateRole, VOCABULARY_SIZE } from './vocabulary.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export interface Prompt {
  readonly kind: 'prompt';
  readonly ids: readonly number[];
  readonly conversation: Conversation;
  /** A partial assistant message to go on from, as text. */
  readonly partial: string | null;
}

/** `trim` is what a chat template does to the partial message; it changes what the model sees, and the count. */
export function readChatPrompt(body: JsonObject, trim: boolean): Prompt | Refusal {
  const messages = readMessages(body.messages);
  if ('kind' in messages) return messages;
  const goesOn = body.continue_final_message === true;
  if (goesOn && body.add_generation_prompt !== false) {
    return badRequest('Cannot set both `continue_final_message` and `add_generation_prompt` to True.');
  }
  const last = messages.at(-1);
  if (!goesOn || last === undefined || last.role !== 'assistant') {
    const ids = goesOn ? renderOpen(messages) : render(messages, body.add_generation_prompt !== false);
    return { kind: 'prompt', ids, conversation: readConversation(render(messages, true)), partial: null };
  }
  const before = messages.slice(0, -1);
  const seen = trim ? last.content.trimEnd() : last.content;
  const ids = renderOpen([...before, { role: 'assistant', content: seen }]);
  return { kind: 'prompt', ids, conversation: readConversation(render(before, true)), partial: last.content };
}

function readMessages(value: unknown): readonly ChatMessage[] | Refusal {
  if (!Array.isArray(value)) return invalidField('messages', 'Field required', 'missing');
  if (value.length === 0) return badRequest('list index out of range');
  const messages: ChatMessage[] = [];
  for (const item of value as readonly unknown[]) {
    const message = isObject(item) ? item : {};
    const content = readContent(message.content);
    if (!isTemplateRole(message.role)) return invalidField('messages', 'Unexpected role', 'literal_error');
    if (content === null) return invalidField('messages', 'Input should be a valid string', 'string_type');
    messages.push({ role: message.role, content });
  }
  return messages;
}

/** A string, or text parts joined by newlines as vLLM does for templates that want strings. */
function readContent(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return '';
  if (!Array.isArray(value)) return null;
  const texts = (value as readonly unknown[]).map((part) => (isObject(part) ? part.text : part));
  return texts.every((text) => typeof text === 'string') ? texts.join('\n') : null;
}

export function readTextPrompt(body: JsonObject): Prompt | Refusal {
  const value = body.prompt;
  if (typeof value === 'string') return textPrompt(encode(value));
  if (!Array.isArray(value)) return invalidField('prompt', 'Field required', 'missing');
  const list = value as readonly unknown[];
  if (list.length === 1 && typeof list[0] === 'string') return textPrompt(encode(list[0]));
  if (list.length === 0) return badRequest('Either prompt or prompt_embeds must be provided and non-empty.');
  const ids = list.filter((id): id is number => Number.isSafeInteger(id));
  if (ids.length !== list.length)
    return invalidField('prompt', 'Input should be a valid integer', 'int_type');
  const stranger = ids.find((id) => id < 0 || id >= VOCABULARY_SIZE);
  if (stranger !== undefined) return badRequest(`Token id ${stranger} is out of vocabulary`);
  return textPrompt(ids);
}

function textPrompt(ids: readonly number[]): Prompt {
  return { kind: 'prompt', ids, conversation: readConversation(ids), partial: null };
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
