/** Reads prompts out of request bodies: of both APIs, of /tokenize and of /detokenize. */
import type { Settings } from '../settings.ts';
import {
  type ChatMessage,
  type ParsedPrompt,
  parsePrompt,
  render,
  renderOpen,
} from '../text/chat-template.ts';
import { decode, encode } from '../text/tokenizer.ts';
import { isTemplateRole, VOCABULARY_SIZE } from '../text/vocabulary.ts';
import { badRequest, invalidField, type Refusal } from './refusals.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export interface Prompt {
  readonly kind: 'prompt';
  readonly ids: readonly number[];
  readonly parsed: ParsedPrompt;
  /** A partial assistant message to continue, as text. */
  readonly partial: string | null;
}

/** `trim` does to the partial message what a chat template does; it changes the count of tokens too. */
export function readChatPrompt(body: JsonObject, trim: boolean): Prompt | Refusal {
  const messages = readMessages(body.messages);
  if ('kind' in messages) return messages;
  const continues = body.continue_final_message === true;
  if (continues && body.add_generation_prompt !== false)
    return badRequest('Cannot set both `continue_final_message` and `add_generation_prompt` to True.');
  const last = messages.at(-1);
  if (!continues || last?.role !== 'assistant') {
    const ids = continues ? renderOpen(messages) : render(messages, body.add_generation_prompt !== false);
    return { kind: 'prompt', ids, parsed: parsePrompt(render(messages, true)), partial: null };
  }
  const before = messages.slice(0, -1);
  const { content } = last;
  const ids = renderOpen([...before, { role: 'assistant', content: trim ? content.trimEnd() : content }]);
  return { kind: 'prompt', ids, parsed: parsePrompt(render(before, true)), partial: content };
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

/** A string, or text parts that newlines join, as vLLM does for templates that want strings. */
function readContent(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return '';
  if (!Array.isArray(value)) return null;
  const texts = (value as readonly unknown[]).map((part) => (isObject(part) ? part.text : part));
  return texts.every((text) => typeof text === 'string') ? texts.join('\n') : null;
}

export function readTextPrompt({ prompt }: JsonObject): Prompt | Refusal {
  const [only, ...more] = Array.isArray(prompt) ? (prompt as readonly unknown[]) : [prompt];
  const text = more.length === 0 && typeof only === 'string' ? only : null;
  const ids = text === null ? readIds('prompt', prompt) : encode(text);
  if ('kind' in ids) return ids;
  if (ids.length === 0 && text === null)
    return badRequest('Either prompt or prompt_embeds must be provided and non-empty.');
  const unknown = ids.find((id) => id < 0 || id >= VOCABULARY_SIZE);
  if (unknown !== undefined) return badRequest(`Token id ${unknown} is out of vocabulary`);
  return { kind: 'prompt', ids, parsed: parsePrompt(ids), partial: null };
}

function readIds(field: string, value: unknown): readonly number[] | Refusal {
  if (!Array.isArray(value)) return invalidField(field, 'Field required', 'missing');
  const ids = (value as readonly unknown[]).filter((id): id is number => Number.isSafeInteger(id));
  if (ids.length === value.length) return ids;
  return invalidField(field, 'Input should be a valid integer', 'int_type');
}

export type Tokenized = { readonly kind: 'body'; readonly body: unknown } | Refusal;

export function tokenize(body: JsonObject, settings: Settings): Tokenized {
  const { prompt } = body;
  const read = typeof prompt === 'string' ? null : readChatPrompt(body, settings.trimContinuation);
  if (read?.kind === 'refusal') return read;
  const tokens = read === null ? encode(String(prompt)) : read.ids;
  const token_strs = body.return_token_strs === true ? tokens.map((id) => decode([id])) : null;
  return {
    kind: 'body',
    body: { count: tokens.length, max_model_len: settings.maxModelLen, tokens, token_strs },
  };
}

export function detokenize({ tokens }: JsonObject): Tokenized {
  const ids = readIds('tokens', tokens);
  return 'kind' in ids ? ids : { kind: 'body', body: { prompt: decode(ids) } };
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
