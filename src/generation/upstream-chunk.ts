/**
 * Reads one chunk of either API into one shape. Nothing about a chunk is trusted: servers, their versions and
 * the gateways in front of them leave out, rename and null what they like.
 */
import type { GenerationUsage } from './port.ts';

export type UpstreamApi = 'chat' | 'text';

export interface UpstreamChunk {
  readonly text: string;
  readonly reasoning: string;
  /** null: the server did not tell. */
  readonly tokenIds: readonly number[] | null;
  readonly promptTokenIds: readonly number[] | null;
  readonly finishReason: string | null;
  readonly usage: GenerationUsage | null;
}

export function readChunk(api: UpstreamApi, value: unknown): UpstreamChunk {
  const chunk = record(value);
  const choice = record(Array.isArray(chunk.choices) ? chunk.choices[0] : null);
  const delta = record(choice.delta);
  return {
    text: string(api === 'chat' ? delta.content : choice.text) ?? '',
    reasoning: string(delta.reasoning) ?? string(delta.reasoning_content) ?? '',
    tokenIds: ids(choice.token_ids),
    promptTokenIds: ids(chunk.prompt_token_ids) ?? ids(choice.prompt_token_ids),
    finishReason: string(choice.finish_reason),
    usage: usage(chunk.usage),
  };
}

type Loose = Readonly<Record<string, unknown>>;

function record(value: unknown): Loose {
  return typeof value === 'object' && value !== null ? (value as Loose) : {};
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
