/** Parses `POST /api/protocol`: patient data, the session, and options of the turn. */
import { createHash, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { overlapPolicySchema } from '../../../../machines/vocabulary.ts';
import { patientFields, pictureOf } from '../../../conversation/patient/patient.ts';
import type { Participant } from '../../../identity/acting-user.ts';
import { generationOptionsSchema, nameSchema, userIdSchema } from '../../../protocol/client-frames.ts';
import { derivedUuid } from '../../../protocol/derived-uuid.ts';
import { messageEvent } from '../../../protocol/to-event.ts';
import { Refusal } from '../../core/answer.ts';
import { type HttpRequest, parse, parseBody, participantIn } from '../../core/request.ts';
import type { SentMessage, TurnInput } from '../turn-request.ts';

export const protocolRequestSchema = z
  .strictObject({
    session_id: z.uuid().optional().describe('absent: starts a new session, whose id is in the answer'),
    ...patientFields,
    client_id: nameSchema.optional(),
    user_id: userIdSchema
      .optional()
      .describe('author of the message; the first user named in a session owns it'),
    diagnosis_id: nameSchema.optional(),
    policy: overlapPolicySchema.optional().describe('what happens if another turn is running'),
    options: generationOptionsSchema.optional(),
  })
  .refine(
    ({ age, gender, chief_complaint, past_medical_history, vitals }) =>
      [age, gender, chief_complaint, past_medical_history, vitals].some((field) => field !== undefined),
    { path: ['chief_complaint'], error: 'is required unless another patient field is given' },
  )
  .describe('Needs at least one patient field. Later turns of a session need only what is new.')
  .meta({ id: 'ProtocolRequest' });

export const protocolHeadersSchema = z.object({
  'idempotency-key': z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe(
      'Names the message: a request that is sent again, to any instance, gets the same turn. The same key with another body in the same session is refused with `idempotency_mismatch`. Without a `session_id`, the key and the body together identify the session: the same key with another body starts another conversation.',
    ),
  'last-event-id': z
    .string()
    .regex(/^\d{1,15}$/, 'is not an offset')
    .optional()
    .describe(
      'For a stream: the last offset that the client saw; the stream resumes after it. Without an `Idempotency-Key` the request sends no message and follows the turn that was running.',
    ),
});

type ProtocolRequest = z.infer<typeof protocolRequestSchema>;

/** `lastSeen` is the client's `Last-Event-ID`, or null. */
export async function parseProtocolRequest(request: HttpRequest, isStream: boolean) {
  const text = await request.body();
  const body = parseBody(protocolRequestSchema, text);
  const participant = participantIn(request, body.user_id);
  const key = request.header('idempotency-key');
  const lastEventId = isStream ? request.header('last-event-id') : '';
  parse(protocolHeadersSchema, {
    ...(key !== '' && { 'idempotency-key': key }),
    ...(lastEventId !== '' && { 'last-event-id': lastEventId }),
  });
  const lastSeen = lastEventId === '' ? null : Number(lastEventId);
  if (lastSeen !== null && key === '' && body.session_id === undefined)
    throw new Refusal('bad_request', 'session_id: is required to resume after a Last-Event-ID');
  const sessionId = body.session_id?.toLowerCase() ?? newSessionId(key, text, participant);
  const message: TurnInput['message'] =
    lastSeen !== null && key === ''
      ? { kind: 'listen', after: lastSeen }
      : sentMessage(body, messageIdOf(key, text));
  const { client_id, diagnosis_id } = body;
  const arrival = {
    ...(client_id !== undefined && { client_id }),
    ...(diagnosis_id !== undefined && { diagnosis_id }),
  };
  const turn: TurnInput = { participant, sessionId, isNew: body.session_id === undefined, arrival, message };
  return { turn, lastSeen };
}

function sentMessage(body: ProtocolRequest, named: Pick<SentMessage, 'id' | 'repeatable'>): SentMessage {
  const { age, gender, chief_complaint, past_medical_history, vitals, policy, options } = body;
  const patient = pictureOf({ age, gender, chief_complaint, past_medical_history, vitals });
  const frame = { id: named.id, policy, options };
  return { kind: 'send', ...named, event: (sender) => messageEvent(frame, sender, patient) };
}

/** The same on every instance: the key names the message, and the digest shows whether the body is the same. */
function messageIdOf(key: string, body: string): { readonly id: string; readonly repeatable: boolean } {
  if (key === '') return { id: randomUUID(), repeatable: false };
  const name = createHash('sha256').update(key).digest('base64url');
  return { id: `key-${name}.${requestDigest(key, body)}`, repeatable: true };
}

const DIGEST_CHARS = 16;

/**
 * Equal for requests that differ only in formatting, or in a `session_id` that the first one did not know yet. It
 * includes the key, so that no table of digests reveals a short body.
 */
function requestDigest(key: string, body: string): string {
  const { session_id: _, ...rest } = JSON.parse(body) as Readonly<Record<string, unknown>>;
  const hash = createHash('sha256').update(JSON.stringify([key, rest], inKeyOrder));
  return hash.digest('base64url').slice(0, DIGEST_CHARS);
}

function inKeyOrder(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** Derived from the body and the user too: two clients with the same predictable key must not share a session. */
function newSessionId(key: string, body: string, { seesOwnOnly, tenant, userId }: Participant): string {
  if (key === '') return randomUUID();
  return derivedUuid('session', key, body, ...(seesOwnOnly ? [tenant, userId ?? ''] : []));
}
