/**
 * Reads one value of either API into one shape: a chunk of a stream, or a whole answer that was not streamed.
 *
 * Nothing about a value is trusted: servers, their versions and the gateways in front of them leave out, rename and
 * null what they like. Text that a server puts elsewhere than OpenAI does is still text.
 */
import type { GenerationUsage } from '../port.ts';

export type UpstreamApi = 'chat' | 'text';

export interface UpstreamChunk {
  /** The value looks like a part of an answer, if an empty one. */
  readonly isAnswer: boolean;
  /** The value repeats the answer from its beginning: a stream may end with such a one. */
  readonly isWhole: boolean;
  readonly text: string;
  readonly reasoning: string;
  /** null: the server did not tell. */
  readonly tokenIds: readonly number[] | null;
  readonly promptTokenIds: readonly number[] | null;
  /** Never empty. */
  readonly finishReason: string | null;
  readonly usage: GenerationUsage | null;
}

export function readChunk(api: UpstreamApi, value: unknown): UpstreamChunk {
  const chunk = record(value);
  const choices = Array.isArray(chunk.choices) ? (chunk.choices as readonly unknown[]) : null;
  const choice = firstChoice(choices);
  const part = record(choice.delta ?? choice.message);
  const content = readContent(part.content);
  const ownText = string(choice.text) ?? '';
  return {
    isAnswer: choices !== null,
    // Some servers give each part of a stream the name of the whole: only a message without a delta is one.
    isWhole: chunk.object === 'chat.completion' && isRecord(choice.message) && !isRecord(choice.delta),
    text: api === 'text' ? ownText || content.text : (content.text || ownText) + (string(part.refusal) ?? ''),
    reasoning: (string(part.reasoning) ?? string(part.reasoning_content) ?? '') + content.reasoning,
    tokenIds: ids(choice.token_ids),
    promptTokenIds: ids(chunk.prompt_token_ids) ?? ids(choice.prompt_token_ids),
    // SGLang's own form is an object with the reason as its type.
    finishReason: reason(choice.finish_reason) ?? reason(record(choice.finish_reason).type),
    usage: usage(chunk.usage),
  };
}

type Loose = Readonly<Record<string, unknown>>;

/** One answer was asked for. A server that gives several must not have them mixed. */
function firstChoice(choices: readonly unknown[] | null): Loose {
  return record(choices?.find((choice) => (record(choice).index ?? 0) === 0));
}

interface Content {
  readonly text: string;
  readonly reasoning: string;
}

/** A string, or a list of parts. Mistral puts its reasoning among them, as parts within a part. */
function readContent(value: unknown): Content {
  if (!Array.isArray(value)) return { text: string(value) ?? '', reasoning: '' };
  let text = '';
  let reasoning = '';
  for (const item of value as readonly unknown[]) {
    const part = record(item);
    const type = string(part.type) ?? 'text';
    if (/thinking|reasoning/.test(type)) {
      reasoning += readContent(part.thinking ?? part.reasoning ?? part.text).text;
    } else {
      text += string(item) ?? string(part.text) ?? string(part.refusal) ?? '';
    }
  }
  return { text, reasoning };
}

/** Servers that print a missing value write it out: "null" and "None" are no reasons. */
function reason(value: unknown): string | null {
  const text = string(value);
  return text === null || /^(?:null|none)?$/i.test(text) ? null : text;
}

function isRecord(value: unknown): value is Loose {
  return typeof value === 'object' && value !== null;
}

function record(value: unknown): Loose {
  return isRecord(value) ? value : {};
}

function string(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function ids(value: unknown): readonly number[] | null {
  return Array.isArray(value) && value.every((id) => Number.isSafeInteger(id)) ? (value as number[]) : null;
}

function usage(value: unknown): GenerationUsage | null {
  const { prompt_tokens, completion_tokens, prompt_tokens_details } = record(value);
  if (typeof prompt_tokens !== 'number' || typeof completion_tokens !== 'number') return null;
  const cached = record(prompt_tokens_details).cached_tokens;
  return {
    prompt_tokens,
    completion_tokens,
    ...(typeof cached === 'number' ? { cached_tokens: cached } : {}),
  };
}
