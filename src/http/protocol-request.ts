/** A request of `POST /api/protocol`: the guide's fields, and what a turn may say of itself. */
import { createHash, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { patientFields } from '../conversation/patient.ts';
import { generationOptionsSchema, policySchema } from '../protocol/client-frames.ts';
import { derivedUuid } from './derived-id.ts';
import { parseBody } from './parsed.ts';
import type { HttpRequest } from './router.ts';

export const protocolRequestSchema = z
  .strictObject({
    session_id: z.uuid().optional().describe('absent: a new session; its id comes back'),
    ...patientFields,
    client_id: z.string().min(1).max(256).optional(),
    user_id: z.string().min(1).max(256).optional().describe('who writes; the first one owns the session'),
    diagnosis_id: z.string().min(1).max(256).optional(),
    policy: policySchema.optional().describe('what to do while another turn runs'),
    options: generationOptionsSchema.optional(),
  })
  .refine(
    ({ age, gender, chief_complaint, past_medical_history, vitals }) =>
      [age, gender, chief_complaint, past_medical_history, vitals].some((field) => field !== undefined),
    { path: ['chief_complaint'], error: 'is required where nothing else is new' },
  )
  .describe(
    'Only `chief_complaint`, or anything else that is new, is needed once the session knows its patient.',
  )
  .meta({ id: 'ProtocolRequest' });

export const protocolHeadersSchema = z.object({
  'idempotency-key': z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe(
      'names the message: sent again, on any instance, it is answered with the same turn. Without a `session_id` the same key and body also name the same new session',
    ),
  'last-event-id': z
    .string()
    .regex(/^\d{1,15}$/, 'is not an offset')
    .optional()
    .describe(
      'for a stream: the last offset seen; only what follows is said. Without an `Idempotency-Key` nothing is sent to the session, and the turn that was under way is told on',
    ),
});

export type ProtocolRequest = z.infer<typeof protocolRequestSchema>;

/** What a request wants of which session. */
export interface ProtocolWish {
  readonly body: ProtocolRequest;
  readonly sessionId: string;
  readonly message: /** Sent again under a name of the client's, its turn is listened to instead. */
    | { readonly kind: 'send'; readonly id: string; readonly repeatable: boolean }
    /** Nothing is sent: whatever turn goes on after the offset `after` is listened to. */
    | { readonly kind: 'listen'; readonly after: number };
}

export type ParsedRequest =
  | {
      readonly kind: 'parsed';
      readonly visit: ProtocolWish;
      readonly wantsStream: boolean;
      readonly lastSeen: number | null;
    }
  | { readonly kind: 'invalid'; readonly detail: string };

export function parseProtocolRequest(request: HttpRequest): ParsedRequest {
  const parsed = parseBody(protocolRequestSchema, request.body);
  if (parsed.kind === 'invalid') return parsed;
  const body = parsed.value;
  const key = request.header('idempotency-key');
  if (key.length > 256) return { kind: 'invalid', detail: 'Idempotency-Key: is longer than 256 characters' };
  const wantsStream = request.header('accept').includes('text/event-stream');
  const lastEventId = wantsStream ? request.header('last-event-id') : '';
  if (!/^\d{0,15}$/.test(lastEventId)) return { kind: 'invalid', detail: 'Last-Event-ID: is not an offset' };
  const lastSeen = lastEventId === '' ? null : Number(lastEventId);
  if (lastSeen !== null && key === '' && body.session_id === undefined)
    return { kind: 'invalid', detail: 'session_id: is needed to go on after a Last-Event-ID' };
  const sessionId = body.session_id?.toLowerCase() ?? newSessionId(key, request.body);
  const message =
    lastSeen !== null && key === ''
      ? ({ kind: 'listen', after: lastSeen } as const)
      : ({ kind: 'send', ...messageIdOf(key) } as const);
  return { kind: 'parsed', visit: { body, sessionId, message }, wantsStream, lastSeen };
}

/** The same key names the same message, on whichever instance it arrives. */
function messageIdOf(key: string): { readonly id: string; readonly repeatable: boolean } {
  if (key === '') return { id: randomUUID(), repeatable: false };
  return { id: `key-${createHash('sha256').update(key).digest('base64url')}`, repeatable: true };
}

/** Of the body too: keys that are not random would else bring the patients of two strangers into one session. */
function newSessionId(key: string, body: string): string {
  return key === '' ? randomUUID() : derivedUuid('session', key, body);
}
