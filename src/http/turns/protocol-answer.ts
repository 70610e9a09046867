/** The answer of `POST /api/protocol`. */
import { z } from 'zod';
import { turnMetadataSchema, usageSchema } from '../../protocol/server-frames.ts';

const textOrNumber = z.union([z.string(), z.number()]);

const patientSummarySchema = z
  .object({
    age: textOrNumber.nullable(),
    gender: z.string().nullable(),
    chief_complaint: z.string().nullable().describe('the latest one'),
    earlier_complaints: z.array(z.string()).optional(),
    vitals: z.record(z.string(), z.unknown()).nullable().describe('as they were given'),
    past_medical_history: z.string().nullable(),
    other: z.record(z.string(), z.string()).optional(),
  })
  .meta({ id: 'PatientSummary' });

export const protocolAnswerSchema = z
  .strictObject({
    protocol: z.string().describe('what the model said'),
    patient_summary: patientSummarySchema.nullable().describe('what the session knows of its patient now'),
    metadata: z
      .strictObject({
        ...turnMetadataSchema.shape,
        usage: usageSchema,
        finish_reason: z.string(),
        turn_id: z.string(),
        offset: z
          .int()
          .describe("of the turn's last frame: a socket that says hello after it misses nothing"),
      })
      .meta({ id: 'ProtocolMetadata' }),
    timestamp: z.iso.datetime().describe('when the turn was completed'),
    session_id: z.uuid(),
  })
  .meta({ id: 'ProtocolAnswer' });
