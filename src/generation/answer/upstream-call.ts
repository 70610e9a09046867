/**
 * planCall plans the one call that asks for exactly the missing part of the answer:
 *
 *   nothing stored                              → chat
 *   stored with ids                             → completions with prompt ids + generated ids (exact: docs/adr/0004)
 *   stored as text, and the server continues it → chat with an open assistant message
 *   everything stored already                   → no call
 *   anything else stored                        → no call: the answer starts over (docs/adr/0014)
 */
import type { ExtraBody } from '../../config/values.ts';
import type { GenerationPrefix, GenerationRequest } from '../port.ts';
import type { UpstreamRequest } from '../upstream/upstream.ts';
import { createPrefixOverlap, type PrefixOverlap } from './prefix-overlap.ts';
import type { ServerProfile } from './server-profile.ts';

export interface UpstreamCall extends UpstreamRequest {
  readonly kind: 'call';
  /** How the server continues the stored part of the answer; null if nothing is stored. */
  readonly continues: 'ids' | 'text' | null;
  readonly overlap: PrefixOverlap;
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

/** English is about four characters a token; /tokenize would cost a round trip before every retry. */
const CHARACTERS_PER_TOKEN = 4;

export function planCall(request: GenerationRequest, context: CallContext): Plan {
  const { sessionId, messages, prefix } = request;
  const { maxTokens, profile } = context;
  const common = commonBody(request, context);
  const limit = (tokens: number) =>
    profile.refused.has('max_tokens') ? { max_completion_tokens: tokens } : { max_tokens: tokens };
  const call = {
    kind: 'call',
    api: 'chat',
    sessionId,
    continues: null,
    overlap: createPrefixOverlap(''),
    idsAreWhole: common.return_token_ids === true,
    prefixTokens: 0,
  } as const;

  if (prefix === null) return { ...call, body: { ...common, messages, ...limit(maxTokens) } };
  // No server continues reasoning alone, and blank text needs no continuation.
  if (prefix.text.trim() === '') return { kind: 'restart' };
  const prefixTokens = prefix.tokenIds?.length ?? Math.ceil(prefix.text.length / CHARACTERS_PER_TOKEN);
  const left = maxTokens - prefixTokens;
  const ids = promptAndAnswer(prefix);
  if (ids !== null) {
    // Only a count of ids is exact: an estimate must not end an answer.
    if (left <= 0) return { kind: 'nothing-left', prefixTokens };
    const body = { ...common, prompt: ids, ...limit(left) };
    return { ...call, api: 'text', body, continues: 'ids', prefixTokens };
  }
  if (!profile.continuesText) return { kind: 'restart' };
  const overlap = createPrefixOverlap(prefix.text);
  const body = {
    ...common,
    messages: [...messages, { role: 'assistant', content: overlap.sent }],
    ...limit(Math.max(1, left)),
    continue_final_message: true,
    add_generation_prompt: false,
  };
  return { ...call, body, continues: 'text', overlap, idsAreWhole: false, prefixTokens };
}

/** The fields of every call, without those that the server refuses. */
function commonBody(
  { sessionId, options }: GenerationRequest,
  { model, temperature, extraBody, profile: { refused } }: CallContext,
): Readonly<Record<string, unknown>> {
  const stop = options.stop ?? [];
  // With stop strings the server holds text back while its ids run ahead: they would not match the stored text.
  const asksForIds = stop.length === 0 && !refused.has('return_token_ids');
  // With ids, each chunk carries the usage so far, which shows whether the server lost ids.
  const countsEach = asksForIds && !refused.has('continuous_usage_stats');
  const takesTemperature = !refused.has('temperature') || options.temperature !== undefined;
  const body: Record<string, unknown> = { ...extraBody, model, stream: true };
  if (!refused.has('stream_options'))
    body.stream_options = countsEach
      ? { include_usage: true, continuous_usage_stats: true }
      : { include_usage: true };
  if (takesTemperature) body.temperature = temperature;
  if (!refused.has('session_id')) body.session_id = sessionId;
  if (stop.length > 0) body.stop = stop;
  if (asksForIds) body.return_token_ids = true;
  return body;
}

function promptAndAnswer(prefix: GenerationPrefix): readonly number[] | null {
  const { promptTokenIds, tokenIds } = prefix;
  if (promptTokenIds === null || tokenIds === null) return null;
  if (promptTokenIds.length === 0 || tokenIds.length === 0) return null;
  return [...promptTokenIds, ...tokenIds];
}
