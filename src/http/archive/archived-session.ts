/** Describes ended sessions: their schemas in the documents, and their JSON. */
import { z } from 'zod';
import { endReasonSchema } from '../../../machines/vocabulary.ts';
import type { ArchivedHead, ArchivedSession } from '../../archive/archive.ts';
import { simulatedSchema } from '../../protocol/server-frames.ts';

const at = z.int().describe('ms since the epoch');
const name = z.string().nullable();
const cursorSchema = z.string().nullable().describe('start of the next page; null: this is the last page');

const headShape = {
  session_id: z.string(),
  created_at: at.describe('names one life of the session: its id may be used again after it ended'),
  ended_at: at,
  end_reason: endReasonSchema,
  client_id: name.describe('client that named itself last; with `AUTH`, only the owner gets it'),
  user_id: name,
  diagnosis_id: name,
  conversation_count: z.int(),
};

export const archivedPageSchema = z
  .strictObject({
    count: z.int().describe('sessions on this page'),
    sessions: z.array(
      z.strictObject({ ...headShape, snippet: name.describe('the passage with the words, as plain text') }),
    ),
    cursor: cursorSchema,
  })
  .meta({ id: 'ArchivePage' });

export const archivedSchema = z
  .strictObject({
    ...headShape,
    patient: z.record(z.string(), z.unknown()),
    transcript: z.array(
      z.strictObject({
        role: z.enum(['user', 'assistant']),
        author: name,
        content: z.string(),
        turn_id: z.string(),
        at,
        simulated: simulatedSchema.optional(),
      }),
    ),
    turns: z.array(
      z.strictObject({
        turn_id: z.string(),
        started_at: at,
        outcome: z.enum(['completed', 'failed', 'cancelled']),
        prompt_tokens: z.int(),
        completion_tokens: z.int(),
        first_token_ms: z.number().nullable(),
        total_ms: z.number().nullable(),
      }),
    ),
  })
  .meta({ id: 'ArchivedSession' });

export const exportPageSchema = z
  .strictObject({ count: z.int(), sessions: z.array(archivedSchema), cursor: cursorSchema })
  .meta({ id: 'ArchiveExport' });

export const livesSchema = z
  .strictObject({ session_id: z.string(), lives: z.array(archivedSchema).describe('newest first') })
  .meta({ id: 'ArchivedLives' });

/** With `AUTH`, only the owner of a conversation gets its `client_id`. */
export function archivedHead(head: ArchivedHead, forOwner: boolean) {
  return {
    session_id: head.sessionId,
    created_at: head.createdAt,
    ended_at: head.endedAt,
    end_reason: head.endReason,
    client_id: forOwner ? head.clientId : null,
    user_id: head.userId,
    diagnosis_id: head.diagnosisId,
    conversation_count: head.turnCount,
  };
}

export function archivedWhole(session: ArchivedSession, forOwner: boolean): z.infer<typeof archivedSchema> {
  return {
    ...archivedHead(session, forOwner),
    patient: session.patient,
    transcript: session.lines.map(({ role, author, content, turnId, at, simulated }) => ({
      role,
      author,
      content,
      turn_id: turnId,
      at,
      ...(simulated === true ? { simulated } : {}),
    })),
    turns: session.turns.map((turn) => ({
      turn_id: turn.turnId,
      started_at: turn.startedAt,
      outcome: turn.outcome,
      prompt_tokens: turn.promptTokens,
      completion_tokens: turn.completionTokens,
      first_token_ms: turn.firstTokenMs,
      total_ms: turn.totalMs,
    })),
  };
}
