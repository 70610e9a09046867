/**
 * One entry of a session's inbox: an event of the closed vocabulary, and who sent it.
 * It was written by an instance, yet it is checked like anything that comes from outside this process.
 */
import { z } from 'zod';
import type { SessionEvent } from '../../../machines/vocabulary.ts';
import { generationOptionsSchema } from '../../protocol/client-frames.ts';

const at = z.number();

const eventSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('attach'),
    at,
    instance: z.string(),
    clientId: z.string().optional(),
    userId: z.string().optional(),
    diagnosisId: z.string().optional(),
    patient: z.record(z.string(), z.json()).optional(),
    addsOnly: z.boolean().optional(),
  }),
  z.strictObject({ type: z.literal('detach'), at, instance: z.string(), userId: z.string().optional() }),
  z.strictObject({
    type: z.literal('message'),
    at,
    messageId: z.string(),
    turnId: z.string(),
    content: z.string(),
    author: z.string().nullable().optional(),
    patient: z.record(z.string(), z.json()).optional(),
    policy: z.enum(['queue', 'reject', 'interrupt', 'rollback', 'merge']),
    options: z.strictObject({
      maxTokens: z.number().optional(),
      temperature: generationOptionsSchema.shape.temperature,
      stop: generationOptionsSchema.shape.stop,
    }),
  }),
  z.strictObject({
    type: z.literal('share'),
    at,
    share: z.strictObject({
      id: z.string(),
      userId: z.string(),
      access: z.enum(['read', 'write']),
      expiresAt: z.number(),
    }),
  }),
  z.strictObject({ type: z.literal('unshare'), at, shareId: z.string() }),
  z.strictObject({ type: z.literal('cancel'), at, turnId: z.string().optional() }),
  z.strictObject({ type: z.literal('extend'), at }),
  z.strictObject({
    type: z.literal('close'),
    at,
    reason: z.enum(['closed', 'admin']),
    erase: z.boolean().optional(),
  }),
]);

const entrySchema = z.strictObject({
  event: eventSchema,
  origin: z.strictObject({ instance: z.string(), connection: z.string() }).nullable(),
});

export interface Origin {
  readonly instance: string;
  readonly connection: string;
}

export interface InboxEvent {
  readonly event: SessionEvent;
  readonly origin: Origin | null;
}

export function writeInboxEntry(passed: InboxEvent): string {
  return JSON.stringify(passed);
}

/** Null where the entry is not one of ours; it is then taken out of the inbox without effect. */
export function readInboxEntry(entry: string): InboxEvent | null {
  try {
    return entrySchema.parse(JSON.parse(entry)) as InboxEvent;
  } catch {
    return null;
  }
}
