/**
 * server-frames defines the frames that the server sends. Durable frames are numbered 1, 2, 3 … per session, stored in the same commit as the
 * transition that caused them, and replayed on resume. Transient frames go once to one connection.
 */
import { z } from 'zod';
import {
  cancelReasonSchema,
  endReasonSchema,
  tagsSchema,
  topStateSchema,
} from '../../machines/vocabulary.ts';
import type { TranscriptEntry } from '../store/contract.ts';

/**
 * `epoch` names the claim under which the frame was stored. Where a store lost acknowledged writes, the log continues under
 * a higher epoch, and a client that names the epoch it saw gets a `reset`.
 */
const place = { offset: z.int().min(1), epoch: z.int().min(1) };
const turn = { turn_id: z.string(), message_id: z.string() };
const errorFields = z.object({ code: z.string(), message: z.string(), retryable: z.boolean() });

export const simulatedSchema = z
  .boolean()
  .describe('true: the answer came from the simulator and means nothing');

export const usageSchema = z.object({
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
  cached_tokens: z.int().optional(),
});

export const turnMetadataSchema = z.object({
  inference_time_ms: z.number(),
  time_to_first_token_ms: z.number().nullable(),
  model: z.string(),
  temperature: z.number(),
  max_tokens: z.int(),
  conversation_count: z.int(),
  replica: z.string(),
  resumed: z.int(),
  simulated: simulatedSchema,
  /** Absent in frames that older versions stored. */
  completed_at: z.int().optional(),
  window: z.record(z.string(), z.unknown()).optional(),
});

export const transcriptLineSchema = z.strictObject({
  role: z.enum(['user', 'assistant']),
  content: z.string(),
  turn_id: z.string(),
  at: z.int().describe('ms since the epoch'),
  author: z.string().optional(),
  simulated: simulatedSchema.optional(),
});
type TranscriptLine = z.infer<typeof transcriptLineSchema>;

/** The transcript as clients get it: without the summaries, which only the model reads. */
export function transcriptLines(entries: readonly TranscriptEntry[]): TranscriptLine[] {
  return entries.flatMap(({ role, content, turnId, at, author, simulated }) => {
    if (role === 'summary') return [];
    const named = author === undefined ? {} : { author };
    return [{ role, content, turn_id: turnId, at, ...named, ...(simulated === true ? { simulated } : {}) }];
  });
}

export const durableFrameSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('state'), ...place, value: topStateSchema, version: z.int() }),
  z.object({
    type: z.literal('turn.started'),
    ...place,
    ...turn,
    queued: z.int(),
    content: z.string(),
    author: z.string().optional(),
    message_ids: z.array(z.string()).optional(),
    tags: tagsSchema.optional(),
    restarts: z
      .int()
      .min(1)
      .optional()
      .describe('The answer starts over: clear the text that you have of this turn.'),
  }),
  z.object({
    type: z.literal('delta'),
    ...place,
    turn_id: z.string(),
    text: z.string(),
    reasoning: z.string().optional(),
    simulated: simulatedSchema.optional(),
  }),
  z.object({
    type: z.literal('turn.completed'),
    ...place,
    ...turn,
    finish_reason: z.string(),
    usage: usageSchema,
    metadata: turnMetadataSchema,
  }),
  z.object({ type: z.literal('turn.failed'), ...place, ...turn, error: errorFields }),
  z.object({
    type: z.literal('turn.cancelled'),
    ...place,
    ...turn,
    reason: cancelReasonSchema,
  }),
  z
    .object({ type: z.literal('turn.retracted'), ...place, turn_id: z.string() })
    .describe('The turn is no longer part of the conversation: remove its question and its answer.'),
  z
    .object({
      type: z.literal('forked'),
      ...place,
      message_id: z.string().describe('The `id` of the `fork`.'),
      session_id: z.uuid().describe('The new session.'),
      after: z.string().optional().describe('The last turn that was copied; absent: none was.'),
    })
    .describe('Turns of this session were copied into a new one.'),
  z.object({ type: z.literal('message.queued'), ...place, message_id: z.string(), position: z.int() }),
  z.object({
    type: z.literal('expiring'),
    ...place,
    expires_at: z.int(),
    reason: z.enum(['idle', 'absolute']),
  }),
  z.object({ type: z.literal('presence'), ...place, user_id: z.string(), event: z.enum(['joined', 'left']) }),
  z.object({
    type: z.literal('shared'),
    ...place,
    share_id: z.string(),
    user_id: z.string(),
    access: z.enum(['read', 'write']),
    expires_at: z.int(),
  }),
  z.object({ type: z.literal('unshared'), ...place, share_id: z.string(), user_id: z.string() }),
  z.object({ type: z.literal('expired'), ...place, reason: endReasonSchema }),
]);
export type DurableFrame = z.infer<typeof durableFrameSchema>;

export const transientFrameSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('welcome'),
    session_id: z.uuid(),
    resumed: z.boolean(),
    state: topStateSchema,
    offset: z.int(),
    epoch: z.int(),
    created_at: z.int(),
    expires_at: z.int(),
    absolute_expires_at: z.int(),
    instance: z.string(),
    simulated: z.boolean().optional().describe('true: the built-in simulator answers here'),
    identity_expires_at: z
      .int()
      .optional()
      .describe(
        "ms since the epoch: the client's credential ends then, unless `authenticate` renews it. Absent: it has no end.",
      ),
  }),
  z.object({
    type: z.literal('reset'),
    reason: z.enum(['trimmed', 'rolled_back', 'unknown_offset', 'forked']),
    offset: z.int(),
    epoch: z.int().describe('Send it together with `offset` when you resume from here.'),
    state: topStateSchema,
    transcript: z.array(transcriptLineSchema),
  }),
  z.object({
    type: z.literal('error'),
    code: z.string(),
    message: z.string(),
    retryable: z.boolean(),
    message_id: z.string().optional(),
    retry_after_ms: z.int().optional().describe('Wait at least this long before you try again.'),
    detail: z
      .string()
      .optional()
      .describe('For `bad_frame`: the field at fault and the reason, as text for a developer.'),
  }),
  z.object({
    type: z.literal('extended'),
    expires_at: z
      .int()
      .describe(
        'ms since the epoch. Answers `extend`, once stored: a session without a running turn ends then, unless a `hello`, `message` or `extend` comes. Never after `absolute_expires_at`.',
      ),
    absolute_expires_at: z.int().describe('ms since the epoch; `extend` does not move it.'),
  }),
  z.object({
    type: z.literal('authenticated'),
    expires_at: z
      .int()
      .nullable()
      .describe(
        'Answers `authenticate`: the new credential ends then, in ms since the epoch; null: it has no end.',
      ),
  }),
  z.object({ type: z.literal('pong'), nonce: z.string().optional() }),
]);
export type TransientFrame = z.infer<typeof transientFrameSchema>;

export type ServerFrame = DurableFrame | TransientFrame;
