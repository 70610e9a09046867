/** Builds the answer of `POST /api/protocol` from the result of its turn. */
import { z } from 'zod';
import { readPatient } from '../../../conversation/patient/patient.ts';
import { summaryOf } from '../../../conversation/patient/patient-text.ts';
import { turnMetadataSchema, usageSchema } from '../../../protocol/server-frames.ts';
import type { Store } from '../../../store/contract.ts';
import { type HttpAnswer, json } from '../../core/answer.ts';
import type { HttpPorts } from '../../core/ports.ts';
import { problemOf } from '../take-part.ts';
import type { TurnResult } from '../turn-collector.ts';

const textOrNumber = z.union([z.string(), z.number()]);

const patientSummarySchema = z
  .object({
    age: textOrNumber.nullable(),
    gender: z.string().nullable(),
    chief_complaint: z.string().nullable().describe('the latest one'),
    earlier_complaints: z.array(z.string()).optional(),
    vitals: z.record(z.string(), z.unknown()).nullable().describe('as the client sent them'),
    past_medical_history: z.string().nullable(),
    other: z.record(z.string(), z.string()).optional(),
  })
  .meta({ id: 'PatientSummary' });

export const protocolAnswerSchema = z
  .strictObject({
    protocol: z.string().describe('the answer of the model'),
    patient_summary: patientSummarySchema.nullable().describe('what the session knows about its patient'),
    metadata: z
      .strictObject({
        ...turnMetadataSchema.shape,
        usage: usageSchema,
        finish_reason: z.string(),
        turn_id: z.string(),
        offset: z
          .int()
          .describe(
            "offset of the turn's last frame; a socket sends it as `after` in `hello` to miss nothing",
          ),
      })
      .meta({ id: 'ProtocolMetadata' }),
    timestamp: z.iso.datetime().describe('when the turn completed'),
    session_id: z.uuid(),
  })
  .meta({ id: 'ProtocolAnswer' });

export async function answerFor(
  { sessions, store, clock }: HttpPorts,
  requestId: string,
  sessionId: string,
  result: TurnResult,
): Promise<HttpAnswer> {
  if (result.kind !== 'completed') return problemOf(requestId, result);
  const { metadata, usage, finish_reason, turn_id, offset } = result.frame;
  const text = result.text ?? (await storedAnswer(store, sessionId, turn_id));
  const view = await sessions.view(sessionId).catch(() => null);
  return json(200, {
    protocol: text,
    patient_summary: view === null ? null : summaryOf(readPatient(view.context.patient)),
    metadata: { ...metadata, usage, finish_reason, turn_id, offset },
    timestamp: new Date(metadata.completed_at ?? clock.now()).toISOString(),
    session_id: sessionId,
  });
}

/** Needed if the log was trimmed before its reader saw all of the turn. */
async function storedAnswer(store: Store, sessionId: string, turnId: string): Promise<string> {
  const entries = await store.readTranscript(sessionId);
  return entries.find((entry) => entry.turnId === turnId && entry.role === 'assistant')?.content ?? '';
}
