/**
 * What a client may send. A frame that is not exactly one of these is refused before it comes near a session:
 * unknown keys and types are errors, and no client JSON ever becomes an event of the machine.
 */
import { z } from 'zod';

export const MAX_FRAME_BYTES = 64 * 1024;
export const HELLO_DEADLINE_MS = 10_000;
export const BAD_FRAMES_IN_A_ROW = 5;

const shortText = z.string().min(1).max(256);

/** Free of structure here; the clinical API validates its own fields. Depth and size are bounded by the frame. */
const json = z.json().register(z.globalRegistry, { id: 'Json' });
const patient = z.record(z.string().max(128), json);

export const policySchema = z.enum(['queue', 'reject', 'interrupt', 'rollback', 'merge']);

export const generationOptionsSchema = z.strictObject({
  max_tokens: z.int().min(1).max(131_072).optional(),
  temperature: z.number().min(0).max(2).optional(),
  stop: z.array(z.string().min(1).max(128)).max(4).optional(),
});

const hello = z.strictObject({
  type: z.literal('hello'),
  session_id: z.uuid().optional(),
  after: z
    .int()
    .min(0)
    .optional()
    .describe('the last offset the client has seen; 0 replays all that is kept'),
  epoch: z
    .int()
    .min(0)
    .optional()
    .describe('the epoch of the frame at `after`; lets a log that lost writes be recognised'),
  client_id: shortText.optional(),
  user_id: shortText.optional(),
  diagnosis_id: shortText.optional(),
  token: z.string().max(8192).optional().describe('reserved: accepted, and not read by this version'),
  patient: patient
    .optional()
    .describe(
      'merged into what the session knows of its patient, field by field; with `after` it only adds what is not known yet',
    ),
});

const message = z
  .strictObject({
    type: z.literal('message'),
    // Half a character would be stored as another one, and two ids would become one.
    id: z
      .string()
      .min(1)
      .max(64)
      .refine((id) => id.isWellFormed(), { error: 'is not well-formed text' })
      .describe(
        'names the message for the life of the session; used again, with whatever content, it is refused with `duplicate_message`',
      ),
    content: z.string().min(1).optional(),
    patient: patient.optional().describe('merged into what the session knows of its patient, field by field'),
    policy: policySchema.optional(),
    options: generationOptionsSchema.optional(),
  })
  .refine((frame) => frame.content !== undefined || frame.patient !== undefined, {
    error: 'content or patient is required',
  });

const cancel = z.strictObject({ type: z.literal('cancel'), turn_id: z.string().min(1).max(64).optional() });
const extend = z.strictObject({ type: z.literal('extend') });
const close = z.strictObject({ type: z.literal('close') });
const ping = z.strictObject({ type: z.literal('ping'), nonce: z.string().max(256).optional() });

export const clientFrameSchema = z.discriminatedUnion('type', [hello, message, cancel, extend, close, ping]);

export type ClientFrame = z.infer<typeof clientFrameSchema>;
export type HelloFrame = z.infer<typeof hello>;
export type MessageFrame = z.infer<typeof message>;
export type Policy = z.infer<typeof policySchema>;
