/**
 * Turns a request into the one call that gives exactly what is still missing of the answer:
 *
 *   nothing stored            → chat
 *   stored with ids           → completions with prompt ids + generated ids (exact: docs/adr/0004)
 *   stored as text only       → chat with an open assistant message
 *   everything stored already → no call
 */
import type { ExtraBody } from '../extra-body.ts';
import type { GenerationPrefix, GenerationRequest } from './port.ts';
import { createSeam, type Seam } from './seam.ts';
import type { UpstreamApi } from './upstream-chunk.ts';

export interface UpstreamCall {
  readonly kind: 'call';
  readonly api: UpstreamApi;
  readonly body: Readonly<Record<string, unknown>>;
  readonly seam: Seam;
  /** Whether the ids of the reply, after those stored, cover the whole turn. */
  readonly idsAreWhole: boolean;
  /** Tokens of the stored part: the server counts them as prompt, the turn counts them as answer. */
  readonly prefixTokens: number;
}

export type Plan = UpstreamCall | { readonly kind: 'nothing-left'; readonly prefixTokens: number };

export interface CallContext {
  readonly model: string;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly extraBody: ExtraBody;
}

export function planCall(request: GenerationRequest, context: CallContext): Plan {
  const prefix = request.prefix === null || request.prefix.text === '' ? null : request.prefix;
  const prefixTokens = prefix === null ? 0 : (prefix.tokenIds?.length ?? estimateTokens(prefix.text));
  const left = context.maxTokens - prefixTokens;
  const stop = request.options.stop ?? [];
  const common = {
    ...context.extraBody,
    model: context.model,
    stream: true,
    // Where ids are asked for, the usage so far comes with each chunk: it shows whether ids were lost.
    stream_options: { include_usage: true, ...(stop.length > 0 ? {} : { continuous_usage_stats: true }) },
    temperature: context.temperature,
    session_id: request.sessionId,
    ...(stop.length > 0 ? { stop } : {}),
    // With stop strings the server holds text back while its ids run ahead: they would not match what is stored.
    ...(stop.length > 0 ? {} : { return_token_ids: true }),
  };
  const chat = (messages: readonly unknown[], maxTokens: number) => ({
    ...common,
    messages,
    max_tokens: maxTokens,
  });

  if (prefix === null) {
    return call('chat', chat(request.messages, context.maxTokens), createSeam(''), stop.length === 0, 0);
  }
  const ids = promptAndAnswer(prefix);
  // A count of ids is exact, so nothing is left at 0; an estimate must not end an answer.
  if (ids !== null && left <= 0) return { kind: 'nothing-left', prefixTokens };
  if (ids !== null) {
    const body = { ...common, prompt: ids, max_tokens: left };
    return call('text', body, createSeam(''), stop.length === 0, prefixTokens);
  }
  const seam = createSeam(prefix.text);
  const maxTokens = Math.max(1, left);
  if (seam.sent === '') return call('chat', chat(request.messages, maxTokens), seam, false, 0);
  const body = {
    ...chat([...request.messages, { role: 'assistant', content: seam.sent }], maxTokens),
    continue_final_message: true,
    add_generation_prompt: false,
  };
  return call('chat', body, seam, false, prefixTokens);
}

function call(
  api: UpstreamApi,
  body: UpstreamCall['body'],
  seam: Seam,
  idsAreWhole: boolean,
  prefixTokens: number,
): UpstreamCall {
  return { kind: 'call', api, body, seam, idsAreWhole, prefixTokens };
}

function promptAndAnswer(prefix: GenerationPrefix): readonly number[] | null {
  const { promptTokenIds, tokenIds } = prefix;
  if (promptTokenIds === null || tokenIds === null) return null;
  if (promptTokenIds.length === 0 || tokenIds.length === 0) return null;
  return [...promptTokenIds, ...tokenIds];
}

/** English is about four characters a token; asking /tokenize would cost a round trip before every retry. */
const CHARACTERS_PER_TOKEN = 4;

function estimateTokens(text: string): number {
  return Math.ceil(text.length / CHARACTERS_PER_TOKEN);
}
