/** The response of the OpenAI Responses API, as far as the frames of its turn tell. */
import { z } from 'zod';
import { conversationIdOf, responseIdOf } from './ids.ts';
import { outputItemSchema } from './items.ts';

const responseStatusSchema = z.enum([
  'queued',
  'in_progress',
  'completed',
  'incomplete',
  'failed',
  'cancelled',
]);
export type ResponseStatus = z.infer<typeof responseStatusSchema>;

const responseUsageSchema = z.strictObject({
  input_tokens: z.int(),
  input_tokens_details: z.strictObject({ cached_tokens: z.int() }),
  output_tokens: z.int(),
  output_tokens_details: z.strictObject({ reasoning_tokens: z.int() }),
  total_tokens: z.int(),
});

export const responseSchema = z
  .strictObject({
    id: z.string(),
    object: z.literal('response'),
    created_at: z.int().describe('seconds since the epoch'),
    completed_at: z.int().nullable(),
    status: responseStatusSchema,
    background: z.boolean(),
    error: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
    incomplete_details: z.strictObject({ reason: z.literal('max_output_tokens') }).nullable(),
    instructions: z.string().nullable(),
    max_output_tokens: z.int().nullable(),
    max_tool_calls: z.null(),
    model: z.string(),
    output: z.array(outputItemSchema),
    parallel_tool_calls: z.boolean(),
    previous_response_id: z.string().nullable(),
    conversation: z.strictObject({ id: z.string() }),
    prompt_cache_key: z.string().nullable(),
    reasoning: z.null(),
    safety_identifier: z.string().nullable(),
    service_tier: z.literal('default'),
    store: z.boolean(),
    temperature: z.number(),
    text: z.strictObject({ format: z.strictObject({ type: z.literal('text') }) }),
    tool_choice: z.enum(['auto', 'none']),
    tools: z.array(z.unknown()),
    top_logprobs: z.int(),
    top_p: z.number(),
    presence_penalty: z.number(),
    frequency_penalty: z.number(),
    truncation: z.literal('disabled'),
    usage: responseUsageSchema.nullable(),
    user: z.string().nullable(),
    metadata: z.record(z.string(), z.string()),
  })
  .meta({ id: 'Response' });
export type ResponseObject = z.infer<typeof responseSchema>;

/** The fields of a response that do not change while its turn runs. */
export interface ResponseFacts {
  readonly sessionId: string;
  readonly turnId: string;
  readonly isStored: boolean;
  /** In ms since the epoch. */
  readonly createdAt: number;
  /** The response before this one; null: this one is the first. */
  readonly previousResponseId: string | null;
  /** Until the answer names the model itself. */
  readonly model: string;
  readonly isBackground: boolean;
  readonly instructions: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly temperature: number | null;
  readonly maxOutputTokens: number | null;
}

/** The fields of a response that come with its frames. */
export type ResponseProgress = Pick<
  ResponseObject,
  'status' | 'output' | 'usage' | 'error' | 'incomplete_details'
> & {
  readonly completedAt: number | null;
  /** Null: the answer has not named it. */
  readonly model: string | null;
  readonly temperature: number | null;
  readonly maxOutputTokens: number | null;
};

/** The temperature of the protocol's own default, where neither client nor answer names one. */
const DEFAULT_TEMPERATURE = 1;

export function responseObject(facts: ResponseFacts, progress: ResponseProgress): ResponseObject {
  const { sessionId, previousResponseId, isStored } = facts;
  const { status, output, usage, error, incomplete_details, completedAt } = progress;
  return {
    id: responseIdOf(facts),
    object: 'response',
    created_at: secondsOf(facts.createdAt),
    completed_at: completedAt === null ? null : secondsOf(completedAt),
    status,
    background: facts.isBackground,
    error,
    incomplete_details,
    instructions: facts.instructions,
    max_output_tokens: progress.maxOutputTokens ?? facts.maxOutputTokens,
    max_tool_calls: null,
    model: progress.model ?? facts.model,
    output,
    parallel_tool_calls: false,
    previous_response_id: previousResponseId,
    conversation: { id: conversationIdOf(sessionId) },
    prompt_cache_key: null,
    reasoning: null,
    safety_identifier: null,
    service_tier: 'default',
    store: isStored,
    temperature: progress.temperature ?? facts.temperature ?? DEFAULT_TEMPERATURE,
    text: { format: { type: 'text' } },
    tool_choice: 'auto',
    tools: [],
    top_logprobs: 0,
    top_p: 1,
    presence_penalty: 0,
    frequency_penalty: 0,
    truncation: 'disabled',
    usage,
    user: null,
    metadata: { ...facts.metadata },
  };
}

const secondsOf = (ms: number): number => Math.floor(ms / 1_000);
