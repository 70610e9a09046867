/** A request of `POST /api/protocol`: the guide's fields, and what a turn may say of itself. */
import { createHash, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { patientFields } from '../../conversation/patient/patient.ts';
import { generationOptionsSchema, policySchema } from '../../protocol/client-frames.ts';
import { parseBody } from '../core/parse.ts';
import type { HttpRequest } from '../core/router.ts';
import { derivedUuid } from './derived-id.ts';

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
      'names the message: sent again, on any instance, it is answered with the same turn. With another body in the same session it is refused with `idempotency_mismatch`. If the request has no `session_id`, the key and the body together identify the session: the same key with another body starts another conversation',
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
      : ({ kind: 'send', ...messageIdOf(key, request.body) } as const);
  return { kind: 'parsed', visit: { body, sessionId, message }, wantsStream, lastSeen };
}

/** The key names the message, on any instance; the digest of the body tells whether the request is the same one. */
function messageIdOf(key: string, body: string): { readonly id: string; readonly repeatable: boolean } {
  if (key === '') return { id: randomUUID(), repeatable: false };
  const named = createHash('sha256').update(key).digest('base64url');
  return { id: `key-${named}.${requestDigest(key, body)}`, repeatable: true };
}

const DIGEST_CHARS = 16;

/**
 * Equal for requests that differ only in spelling, or in naming a session that the first one began. The key is part
 * of it, so that a stored digest of a short body cannot be looked up in a table.
 */
function requestDigest(key: string, body: string): string {
  const { session_id: _, ...said } = JSON.parse(body) as Readonly<Record<string, unknown>>;
  const hash = createHash('sha256').update(JSON.stringify([key, said], inKeyOrder));
  return hash.digest('base64url').slice(0, DIGEST_CHARS);
}

function inKeyOrder(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** Of the body too: keys that are not random would else bring the patients of two strangers into one session. */
function newSessionId(key: string, body: string): string {
  return key === '' ? randomUUID() : derivedUuid('session', key, body);
}
