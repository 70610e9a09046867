/**
 * Turns a request into the one call that gives exactly what is still missing of the answer:
 *
 *   nothing stored                              → chat
 *   stored with ids                             → completions with prompt ids + generated ids (exact: docs/adr/0004)
 *   stored as text, and the server continues it → chat with an open assistant message
 *   everything stored already                   → no call
 *   anything else stored                        → no call: the answer starts over (docs/adr/0014)
 */
import type { ExtraBody } from '../../config/values.ts';
import { createPrefixOverlap, type PrefixOverlap } from '../answer/prefix-overlap.ts';
import type { GenerationPrefix, GenerationRequest } from '../port.ts';
import type { ServerProfile } from '../replicas/server-profile.ts';
import type { UpstreamApi } from './upstream-chunk.ts';

export interface UpstreamCall {
  readonly kind: 'call';
  readonly api: UpstreamApi;
  readonly body: Readonly<Record<string, unknown>>;
  readonly sessionId: string;
  /** By what the stored part of the answer is continued; null where nothing is stored. */
  readonly continues: 'ids' | 'text' | null;
  readonly seam: PrefixOverlap;
  /** Whether the ids of the reply, after those stored, cover the whole turn. */
  readonly idsAreWhole: boolean;
  /** Tokens of the stored part: the server counts them as prompt, the turn counts them as answer. */
  readonly prefixTokens: number;
}

export type Plan =
  | UpstreamCall
  | { readonly kind: 'nothing-left'; readonly prefixTokens: number }
  | { readonly kind: 'restart' };

export interface CallContext {
  readonly model: string;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly extraBody: ExtraBody;
  readonly profile: ServerProfile;
}

export function planCall(request: GenerationRequest, context: CallContext): Plan {
  const { sessionId, messages, prefix } = request;
  const { maxTokens, profile } = context;
  const common = commonBody(request, context);
  const limit = (tokens: number) =>
    profile.refused.has('max_tokens') ? { max_completion_tokens: tokens } : { max_tokens: tokens };
  const idsAreWhole = common.return_token_ids === true;

  if (prefix === null) {
    const body = { ...common, messages, ...limit(maxTokens) };
    const seam = createPrefixOverlap('');
    return {
      kind: 'call',
      api: 'chat',
      body,
      sessionId,
      continues: null,
      seam,
      idsAreWhole,
      prefixTokens: 0,
    };
  }
  // Thoughts alone cannot be continued, and blank text needs no continuing.
  if (prefix.text.trim() === '') return { kind: 'restart' };
  const prefixTokens = prefix.tokenIds?.length ?? estimateTokens(prefix.text);
  const left = maxTokens - prefixTokens;
  const ids = promptAndAnswer(prefix);
  // A count of ids is exact, so nothing is left at 0; an estimate must not end an answer.
  if (ids !== null && left <= 0) return { kind: 'nothing-left', prefixTokens };
  if (ids !== null) {
    const body = { ...common, prompt: ids, ...limit(left) };
    const seam = createPrefixOverlap('');
    return { kind: 'call', api: 'text', body, sessionId, continues: 'ids', seam, idsAreWhole, prefixTokens };
  }
  if (!profile.continuesText) return { kind: 'restart' };
  const seam = createPrefixOverlap(prefix.text);
  const body = {
    ...common,
    messages: [...messages, { role: 'assistant', content: seam.sent }],
    ...limit(Math.max(1, left)),
    continue_final_message: true,
    add_generation_prompt: false,
  };
  const fixed = { kind: 'call', api: 'chat', continues: 'text', idsAreWhole: false } as const;
  return { ...fixed, body, sessionId, seam, prefixTokens };
}

/** What every call says, without what the server refuses. */
function commonBody(
  { sessionId, options }: GenerationRequest,
  { model, temperature, extraBody, profile: { refused } }: CallContext,
): Readonly<Record<string, unknown>> {
  const stop = options.stop ?? [];
  // With stop strings the server holds text back while its ids run ahead: they would not match what is stored.
  const asksForIds = stop.length === 0 && !refused.has('return_token_ids');
  // Where ids are asked for, the usage so far comes with each chunk: it shows whether ids were lost.
  const countsEach = asksForIds && !refused.has('continuous_usage_stats');
  const stream_options = { include_usage: true, ...(countsEach ? { continuous_usage_stats: true } : {}) };
  const takesTemperature = !refused.has('temperature') || options.temperature !== undefined;
  return {
    ...extraBody,
    model,
    stream: true,
    ...(refused.has('stream_options') ? {} : { stream_options }),
    ...(takesTemperature ? { temperature } : {}),
    ...(refused.has('session_id') ? {} : { session_id: sessionId }),
    ...(stop.length > 0 ? { stop } : {}),
    ...(asksForIds ? { return_token_ids: true } : {}),
  };
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
