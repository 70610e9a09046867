/** A job is one accepted request, with everything that the simulator decides before the first token. */
import { type FaultBook, type FaultPlan, faultNumber, stripFaults } from '../engine/faults.ts';
import type { GenerationInput } from '../engine/generation.ts';
import type { Continuation, Settings } from '../settings.ts';
import { answer, restAfterIds, restAfterText } from '../text/answer.ts';
import { encode } from '../text/tokenizer.ts';
import { contextTooLong, maxTokensTooLarge } from './context-errors.ts';
import { isObject, type JsonObject, type Prompt, readChatPrompt, readTextPrompt } from './prompt.ts';
import {
  badRequest,
  continuationRefused,
  flattened,
  invalidField,
  plannedRefusal,
  type Refusal,
  unknownModel,
} from './refusals.ts';
import { refusedBy } from './strict-servers.ts';

export type JobKind = 'chat' | 'text';

export interface Job extends GenerationInput {
  readonly kind: 'job';
  readonly api: JobKind;
  readonly stream: boolean;
  readonly usage: 'never' | 'at-end' | 'every-chunk';
  readonly wantsIds: boolean;
  readonly conversationKey: string;
  readonly isContinuation: boolean;
  /** The whole answer comes as reasoning, with no text. */
  readonly isThinking: boolean;
}

/** vLLM's default for the older API: a client that forgets max_tokens gets a few words. */
const TEXT_DEFAULT_MAX_TOKENS = 16;

const CONTINUATIONS: readonly Continuation[] = ['honour', 'ignore', 'refuse', 'reason'];

export function readJob(
  api: JobKind,
  body: JsonObject,
  faultHeader: string | undefined,
  settings: Settings,
  faultBook: FaultBook,
): Job | Refusal {
  const refused = refusedField(body) ?? refusedBy(settings.refuses, body);
  if (refused !== null) return refused;
  const { model } = body;
  const models = [settings.model, ...settings.loras];
  if (typeof model === 'string' && model !== '' && !models.includes(model)) return unknownModel(model);
  const prompt = api === 'chat' ? readChatPrompt(body, settings.trimContinuation) : readTextPrompt(body);
  if (prompt.kind === 'refusal') return prompt;

  const { parsed, ids: promptIds } = prompt;
  const lastUser = parsed.messages.findLast((message) => message.role === 'user')?.content ?? '';
  const reading = faultBook.read(parsed.key, faultHeader, lastUser);
  if (reading.kind === 'unknown') return badRequest(reading.message, 'x-simulator-fault');
  const faults = reading.plan;

  const isPartial = prompt.partial !== null;
  const continuation = isPartial ? continuationOf(faults, settings) : 'honour';
  if (continuation === 'refuse') return continuationRefused();

  const { maxModelLen } = settings;
  const asked = askedTokens(body) ?? (api === 'text' ? TEXT_DEFAULT_MAX_TOKENS : null);
  const overrun = { maxModelLen, promptTokens: promptIds.length, outputTokens: asked ?? 0 };
  const wording = faults.get('400-context');
  const planned =
    plannedRefusal(faults, settings.model) ??
    (wording === undefined ? null : contextTooLong(wording, overrun));
  if (planned !== null) return faults.has('flat') ? flattened(planned) : planned;
  if (asked !== null && asked > maxModelLen) return maxTokensTooLarge(asked, maxModelLen);
  const room = maxModelLen - promptIds.length;
  if (room < (asked ?? 1)) return contextTooLong(settings.contextErrors, overrun);

  return {
    kind: 'job',
    api,
    stream: body.stream === true,
    usage: usageMode(body),
    wantsIds: body.return_token_ids === true && settings.tokenIds && !faults.has('no-ids'),
    promptIds,
    conversationKey: parsed.key,
    isContinuation: isPartial || parsed.answered.length > 0,
    isThinking: continuation === 'reason',
    thoughts: thoughtsOf(isPartial, faults).slice(parsed.answered.length),
    rest: restOf(continuation === 'ignore' ? { ...prompt, partial: null } : prompt, faults, settings),
    maxTokens: asked ?? room,
    stop: [body.stop].flat().filter((item): item is string => typeof item === 'string' && item !== ''),
    faults,
  };
}

function continuationOf(faults: FaultPlan, settings: Settings): Continuation {
  const planned = faults.get('continuation');
  return CONTINUATIONS.find((one) => one === planned) ?? settings.continuation;
}

function refusedField(body: JsonObject): Refusal | null {
  if (isObject(body.stream_options) && body.stream !== true)
    return badRequest('Stream options can only be defined when `stream=True`.', 'stream_options');
  if (Array.isArray(body.tools) && body.tools.length === 0)
    return badRequest('`tools` must not be an empty array.', 'tools');
  const maxTokens = body.max_completion_tokens ?? body.max_tokens ?? null;
  if (maxTokens !== null && !Number.isSafeInteger(maxTokens))
    return invalidField('max_tokens', 'Input should be a valid integer', 'int_type');
  if (maxTokens !== null && Number(maxTokens) < 1)
    return badRequest(`max_tokens must be at least 1, got ${String(maxTokens)}.`, 'max_tokens');
  const temperature = body.temperature ?? 0;
  if (typeof temperature !== 'number' || temperature < 0)
    return badRequest(`temperature must be non-negative, got ${String(temperature)}.`, 'temperature');
  return (body.n ?? 1) === 1 ? null : badRequest('The simulator gives one choice: n must be 1.', 'n');
}

function askedTokens(body: JsonObject): number | null {
  const value = body.max_completion_tokens ?? body.max_tokens;
  return typeof value === 'number' ? value : null;
}

function usageMode({ stream_options: options }: JsonObject): Job['usage'] {
  if (!isObject(options) || options.include_usage !== true) return 'never';
  return options.continuous_usage_stats === true ? 'every-chunk' : 'at-end';
}

function restOf({ parsed, partial }: Prompt, faults: FaultPlan, settings: Settings): readonly number[] {
  const exact = faultNumber(faults, 'tokens');
  const length = { tokens: exact ?? settings.tokens, exact: exact !== null };
  const messages = parsed.messages.map(({ role, content }) => ({ role, content: stripFaults(content) }));
  const whole = answer(messages, parsed.key, length);
  if (partial !== null) return restAfterText(whole, partial, settings);
  return restAfterIds(whole, parsed.answered.slice(thoughtsOf(false, faults).length));
}

/** A continuation of text begins after the thoughts. */
function thoughtsOf(isPartial: boolean, faults: FaultPlan): readonly number[] {
  return isPartial || !faults.has('reasoning') ? [] : encode('I should ask about the onset first.');
}
