/** client-frames defines the frames that a client may send. Any unknown key or type is an error. */
import { z } from 'zod';
import { overlapPolicySchema, tagsSchema } from '../../machines/vocabulary.ts';
import { isUserId } from '../identity/names.ts';

export const MAX_FRAME_BYTES = 64 * 1024;
/** From the upgrade on, whatever the client sends. */
export const HELLO_DEADLINE_MS = 10_000;
/** Before its hello is accepted a client is a stranger: its frames are few and small, the hello among them. */
export const FRAMES_BEFORE_HELLO_MAX = 3;
export const HELLO_MAX_BYTES = 16 * 1024;
export const BAD_FRAMES_IN_A_ROW = 5;

/** The id of a client or a diagnosis. A store replaces half a surrogate pair by U+FFFD, and two ids would become one. */
export const nameSchema = z
  .string()
  .min(1)
  .max(256)
  .refine((text) => text.isWellFormed(), { error: 'is not well-formed text' });

/** The id of a user, wherever a client names one. U+FFFD stands for anything that was no text. */
export const userIdSchema = nameSchema.refine(isUserId, {
  error: 'holds a control character or U+FFFD',
});

/** Any JSON of the frame's size and depth; the HTTP API validates its own patient fields. */
const json = z.json().register(z.globalRegistry, { id: 'Json' });
export const patientSchema = z.record(z.string().max(128), json);

export const generationOptionsSchema = z.strictObject({
  max_tokens: z.int().min(1).max(131_072).optional(),
  temperature: z.number().min(0).max(2).optional(),
  stop: z.array(z.string().min(1).max(128)).max(4).optional(),
});

/** A longer text would leave the conversation little room. */
const INSTRUCTIONS_MAX = 16_384;

export const instructionsSchema = z.string().min(1).max(INSTRUCTIONS_MAX);

/** The id of a message, or of a request that is answered once like one. A store would replace half a surrogate pair. */
export const messageIdSchema = z
  .string()
  .min(1)
  .max(64)
  .refine((id) => id.isWellFormed(), { error: 'is not well-formed text' });

const turnId = z.string().min(1).max(64);

/** A token that is too long is refused like any other that is not valid. */
const token = z.string().min(1).max(16_384);

const hello = z.strictObject({
  type: z.literal('hello'),
  session_id: z.uuid().optional(),
  after: z
    .int()
    .min(0)
    .optional()
    .describe('Offset of the last frame that the client has; 0 replays the whole kept log.'),
  epoch: z
    .int()
    .min(0)
    .optional()
    .describe('Epoch of the frame at `after`; with it the server recognises a log that lost writes.'),
  client_id: nameSchema.optional(),
  user_id: userIdSchema.optional(),
  diagnosis_id: nameSchema.optional(),
  token: token.optional().describe('Proves the client, unless its upgrade did. Ignored with `AUTH=off`.'),
  patient: patientSchema
    .optional()
    .describe(
      "Merged field by field into the session's patient data; with `after` it only adds missing fields.",
    ),
  tags: tagsSchema
    .optional()
    .describe("Up to 16 short notes. They replace the session's; the model does not read them."),
});

const turnExtras = {
  instructions: instructionsSchema
    .optional()
    .describe(
      "Added to the system prompt of this turn. With `AUTH`, only a service's credential may send it.",
    ),
  tags: tagsSchema
    .optional()
    .describe("Up to 16 short notes, which the turn's `turn.started` repeats. The model does not read them."),
};

const message = z
  .strictObject({
    type: z.literal('message'),
    id: messageIdSchema.describe(
      'Names the message for the life of the session. A second message with this id is refused with `duplicate_message`.',
    ),
    content: z.string().min(1).optional(),
    patient: patientSchema.optional().describe("Merged field by field into the session's patient data."),
    policy: overlapPolicySchema.optional(),
    options: generationOptionsSchema.optional(),
    ...turnExtras,
  })
  .refine((frame) => frame.content !== undefined || frame.patient !== undefined, {
    error: 'content or patient is required',
  });

const regenerate = z
  .strictObject({
    type: z.literal('regenerate'),
    id: messageIdSchema.describe('Names the request, like the `id` of a message.'),
    turn_id: turnId
      .optional()
      .describe('The first turn that is taken back, with all after it; default: the last turn.'),
    content: z.string().min(1).optional().describe("A question that replaces the turn's own."),
    options: generationOptionsSchema.optional(),
    ...turnExtras,
  })
  .describe('Takes turns back, while no turn runs, and answers the question of the first again.');

const fork = z
  .strictObject({
    type: z.literal('fork'),
    id: messageIdSchema.describe('Names the request: sent again, it gets the same session.'),
    after: turnId.optional().describe('The last turn that is copied.'),
    before: turnId.optional().describe('The first turn that is not copied.'),
  })
  .refine((frame) => frame.after === undefined || frame.before === undefined, {
    error: 'after or before, not both',
  })
  .describe('Copies the turns so far into a new session of the same owner; default: all ended turns.');

const cancel = z
  .strictObject({
    type: z.literal('cancel'),
    turn_id: turnId.optional(),
    message_id: messageIdSchema.optional(),
  })
  .describe(
    'Ends the running turn, or takes a waiting message out of the queue if turn or message id names it.',
  );
const extend = z.strictObject({ type: z.literal('extend') });
const close = z.strictObject({ type: z.literal('close') });
const authenticate = z
  .strictObject({
    type: z.literal('authenticate'),
    token: token.describe('A newer token of the same subject, role and tenant.'),
  })
  .describe('Renews the credential of the connection before it ends.');
const ping = z.strictObject({ type: z.literal('ping'), nonce: z.string().max(256).optional() });

export const clientFrameSchema = z.discriminatedUnion('type', [
  hello,
  message,
  regenerate,
  fork,
  cancel,
  extend,
  close,
  authenticate,
  ping,
]);

export type ClientFrame = z.infer<typeof clientFrameSchema>;

/** The id by which the client recognises an error as the answer to this frame. */
export function requestIdOf(frame: ClientFrame): string | undefined {
  return frame.type === 'message' || frame.type === 'regenerate' || frame.type === 'fork'
    ? frame.id
    : undefined;
}

export type HelloFrame = z.infer<typeof hello>;
export type MessageFrame = z.infer<typeof message>;
export type RegenerateFrame = z.infer<typeof regenerate>;
export type ForkFrame = z.infer<typeof fork>;
