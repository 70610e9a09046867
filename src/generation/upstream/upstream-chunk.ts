/**
 * readChunk reads one value of either API into one shape: a chunk of a stream, or a whole answer without a stream. It
 * also finds text that a server puts into other fields than OpenAI does.
 */
import type { GenerationUsage } from '../port.ts';
import { isRecord, type Loose, recordIn, stringIn } from './loose-json.ts';

export type UpstreamApi = 'chat' | 'text';

export interface UpstreamChunk {
  /** The value has the shape of an answer's part, even an empty one. */
  readonly isAnswer: boolean;
  /** The value repeats the whole answer, as the last value of some streams does. */
  readonly isWhole: boolean;
  readonly text: string;
  readonly reasoning: string;
  /** null: the server sent none. */
  readonly tokenIds: readonly number[] | null;
  readonly promptTokenIds: readonly number[] | null;
  /** Never empty. */
  readonly finishReason: string | null;
  readonly usage: GenerationUsage | null;
}

export function readChunk(api: UpstreamApi, value: unknown): UpstreamChunk {
  const chunk = recordIn(value);
  const choices = Array.isArray(chunk.choices) ? (chunk.choices as readonly unknown[]) : null;
  const choice = firstChoice(choices);
  const part = recordIn(choice.delta ?? choice.message);
  const content = readContent(part.content);
  const ownText = stringIn(choice.text) ?? '';
  return {
    isAnswer: choices !== null,
    // Some servers give each part of a stream the `object` of the whole: only a message without a delta is the whole.
    isWhole: chunk.object === 'chat.completion' && isRecord(choice.message) && !isRecord(choice.delta),
    text:
      api === 'text' ? ownText || content.text : (content.text || ownText) + (stringIn(part.refusal) ?? ''),
    reasoning: (stringIn(part.reasoning) ?? stringIn(part.reasoning_content) ?? '') + content.reasoning,
    tokenIds: ids(choice.token_ids),
    promptTokenIds: ids(chunk.prompt_token_ids) ?? ids(choice.prompt_token_ids),
    // SGLang sends an object with the reason as its type.
    finishReason: reason(choice.finish_reason) ?? reason(recordIn(choice.finish_reason).type),
    usage: usage(chunk.usage),
  };
}

/** The request asks for one answer; those of other indexes must not mix with it. */
function firstChoice(choices: readonly unknown[] | null): Loose {
  return recordIn(choices?.find((choice) => (recordIn(choice).index ?? 0) === 0));
}

interface Content {
  readonly text: string;
  readonly reasoning: string;
}

/** A string, or a list of parts. Mistral puts its reasoning among them, as parts within a part. */
function readContent(value: unknown): Content {
  if (!Array.isArray(value)) return { text: stringIn(value) ?? '', reasoning: '' };
  let text = '';
  let reasoning = '';
  for (const item of value as readonly unknown[]) {
    const part = recordIn(item);
    const type = stringIn(part.type) ?? 'text';
    if (/thinking|reasoning/.test(type)) {
      reasoning += readContent(part.thinking ?? part.reasoning ?? part.text).text;
    } else {
      text += stringIn(item) ?? stringIn(part.text) ?? stringIn(part.refusal) ?? '';
    }
  }
  return { text, reasoning };
}

/** Some servers write a missing reason out as "null" or "None". */
function reason(value: unknown): string | null {
  const text = stringIn(value);
  return text === null || /^(?:null|none)?$/i.test(text) ? null : text;
}

function ids(value: unknown): readonly number[] | null {
  return Array.isArray(value) && value.every((id) => Number.isSafeInteger(id)) ? (value as number[]) : null;
}

function usage(value: unknown): GenerationUsage | null {
  const { prompt_tokens, completion_tokens, prompt_tokens_details } = recordIn(value);
  if (typeof prompt_tokens !== 'number' || typeof completion_tokens !== 'number') return null;
  const cached = recordIn(prompt_tokens_details).cached_tokens;
  return {
    prompt_tokens,
    completion_tokens,
    ...(typeof cached === 'number' ? { cached_tokens: cached } : {}),
  };
}
