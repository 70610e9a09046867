/** One accepted request: everything that is decided before its first token. */

import { type FaultBook, type FaultPlan, faultNumber } from '../protocol/faults.ts';
import {
  badRequest,
  contextTooLong,
  continuationRefused,
  invalidField,
  maxTokensTooLarge,
  plannedRefusal,
  type Refusal,
  unknownModel,
} from '../protocol/refusals.ts';
import { refusedBy } from '../protocol/strict-servers.ts';
import type { Continuation, Settings } from '../settings.ts';
import { answer, restAfterIds, restAfterText } from '../text/answer.ts';
import { isObject, type JsonObject, type Prompt, readChatPrompt, readTextPrompt } from '../text/prompt.ts';
import { encode } from '../text/tokenizer.ts';

export type JobKind = 'chat' | 'text';

export interface Job {
  readonly kind: 'job';
  readonly api: JobKind;
  readonly stream: boolean;
  readonly usage: 'never' | 'at-end' | 'every-chunk';
  readonly wantsIds: boolean;
  readonly promptIds: readonly number[];
  readonly conversationKey: string;
  readonly isContinuation: boolean;
  /** The whole answer comes as reasoning, with no text. */
  readonly isThinking: boolean;
  /** Tokens of reasoning still to come before the text. */
  readonly thoughts: readonly number[];
  /** The text tokens still to say; the end token is not among them. */
  readonly rest: readonly number[];
  readonly maxTokens: number;
  readonly stop: readonly string[];
  readonly faults: FaultPlan;
}

/** vLLM's default for the older API: a client that forgets max_tokens gets a stump. */
const TEXT_DEFAULT_MAX_TOKENS = 16;

const CONTINUATIONS: readonly Continuation[] = ['honour', 'ignore', 'refuse', 'reason'];

export function readJob(
  api: JobKind,
  body: JsonObject,
  faultHeader: string | undefined,
  settings: Settings,
  faultBook: FaultBook,
): Job | Refusal {
  const badField = refusedField(body);
  if (badField !== null) return badField;
  const strange = refusedBy(settings.refuses, body);
  if (strange !== null) return strange;
  const model = body.model;
  const models = [settings.model, ...settings.loras];
  if (typeof model === 'string' && model !== '' && !models.includes(model)) return unknownModel(model);
  const prompt = api === 'chat' ? readChatPrompt(body, settings.trimContinuation) : readTextPrompt(body);
  if (prompt.kind === 'refusal') return prompt;

  const { conversation, ids: promptIds } = prompt;
  const lastUser = conversation.messages.findLast((message) => message.role === 'user')?.content ?? '';
  const reading = faultBook.read(conversation.key, faultHeader, lastUser);
  if (reading.kind === 'unknown') return badRequest(reading.message, 'x-simulator-fault');
  const faults = reading.plan;

  const isPartial = prompt.partial !== null;
  const continuation = isPartial ? continuationOf(faults, settings) : 'honour';
  if (continuation === 'refuse') return continuationRefused();

  const asked = askedTokens(body) ?? (api === 'text' ? TEXT_DEFAULT_MAX_TOKENS : null);
  const overrun = {
    maxModelLen: settings.maxModelLen,
    promptTokens: promptIds.length,
    outputTokens: asked ?? 0,
  };
  const planned = plannedRefusal(faults, settings.model, overrun);
  if (planned !== null) return planned;
  if (asked !== null && asked > settings.maxModelLen) return maxTokensTooLarge(asked, settings.maxModelLen);
  const room = settings.maxModelLen - promptIds.length;
  if (room < (asked ?? 1)) return contextTooLong(settings.contextErrors, overrun);

  return {
    kind: 'job',
    api,
    stream: body.stream === true,
    usage: usageWish(body),
    wantsIds: body.return_token_ids === true && settings.tokenIds && !faults.has('no-ids'),
    promptIds,
    conversationKey: conversation.key,
    isContinuation: isPartial || conversation.answered.length > 0,
    isThinking: continuation === 'reason',
    thoughts: thoughtsOf(isPartial, faults).slice(conversation.answered.length),
    rest: restOf(continuation === 'ignore' ? { ...prompt, partial: null } : prompt, faults, settings),
    maxTokens: asked ?? room,
    stop: stopStrings(body.stop),
    faults,
  };
}

function continuationOf(faults: FaultPlan, settings: Settings): Continuation {
  const planned = faults.get('continuation');
  return CONTINUATIONS.find((one) => one === planned) ?? settings.continuation;
}

function refusedField(body: JsonObject): Refusal | null {
  const options = body.stream_options;
  if (isObject(options) && body.stream !== true) {
    return badRequest('Stream options can only be defined when `stream=True`.', 'stream_options');
  }
  if (Array.isArray(body.tools) && body.tools.length === 0) {
    return badRequest('`tools` must not be an empty array.', 'tools');
  }
  const maxTokens = body.max_completion_tokens ?? body.max_tokens ?? null;
  if (maxTokens !== null && !Number.isSafeInteger(maxTokens)) {
    return invalidField('max_tokens', 'Input should be a valid integer', 'int_type');
  }
  if (maxTokens !== null && Number(maxTokens) < 1) {
    return badRequest(`max_tokens must be at least 1, got ${String(maxTokens)}.`, 'max_tokens');
  }
  const temperature = body.temperature ?? 0;
  if (typeof temperature !== 'number' || temperature < 0) {
    return badRequest(`temperature must be non-negative, got ${String(temperature)}.`, 'temperature');
  }
  return (body.n ?? 1) === 1 ? null : badRequest('The simulator gives one choice: n must be 1.', 'n');
}

function askedTokens(body: JsonObject): number | null {
  const value = body.max_completion_tokens ?? body.max_tokens;
  return typeof value === 'number' ? value : null;
}

function usageWish(body: JsonObject): Job['usage'] {
  const options = body.stream_options;
  if (!isObject(options) || options.include_usage !== true) return 'never';
  return options.continuous_usage_stats === true ? 'every-chunk' : 'at-end';
}

function stopStrings(value: unknown): readonly string[] {
  const list = Array.isArray(value) ? (value as readonly unknown[]) : [value];
  return list.filter((item): item is string => typeof item === 'string' && item !== '');
}

function restOf(prompt: Prompt, faults: FaultPlan, settings: Settings): readonly number[] {
  const { messages, answered, key } = prompt.conversation;
  const exact = faultNumber(faults, 'tokens');
  const length = { tokens: exact ?? settings.tokens, exact: exact !== null };
  const whole = answer(messages, key, length);
  if (prompt.partial !== null) return restAfterText(whole, prompt.partial, settings);
  return restAfterIds(whole, answered.slice(thoughtsOf(false, faults).length));
}

/** An answer that is under way as text is past its thoughts. */
function thoughtsOf(isPartial: boolean, faults: FaultPlan): readonly number[] {
  return isPartial || !faults.has('reasoning') ? [] : encode('I should ask about the onset first.');
}
