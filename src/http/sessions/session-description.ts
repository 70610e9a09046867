/** What may be told of a session without telling what was said in it. */
import { z } from 'zod';
import { absoluteEndsAt, idleEndsAt } from '../../../machines/deadlines.ts';
import { stateValueSchema } from '../../protocol/server-frames.ts';
import type { SessionView } from '../../session/router/session-view.ts';

const at = z.int().describe('ms since the epoch');
const name = z.string().nullable();

export const sessionParamsSchema = z.object({ id: z.uuid().describe('of the session') });

export const sessionSchema = z
  .strictObject({
    session_id: z.uuid(),
    client_id: name,
    user_id: name.describe('whom the session belongs to'),
    diagnosis_id: name,
    created_at: at,
    connected_at: at.describe('when somebody came last'),
    last_activity_at: at,
    state: stateValueSchema,
    offset: z.int().describe('of the last frame of its log'),
    conversation_count: z.int().describe('turns so far'),
    expires_at: at.describe('the earlier of its two ends, if nothing happens'),
    absolute_expires_at: at.describe('its end, whatever happens'),
    is_active: z.boolean(),
  })
  .meta({ id: 'Session' });

export function describeSession(
  sessionId: string,
  { context, state, head }: SessionView,
  now: number,
): z.infer<typeof sessionSchema> {
  const expiresAt = Math.min(idleEndsAt(context), absoluteEndsAt(context));
  return {
    session_id: sessionId,
    client_id: context.clientId,
    user_id: context.userId,
    diagnosis_id: context.diagnosisId,
    created_at: context.createdAt,
    connected_at: context.connectedAt,
    last_activity_at: context.lastActivityAt,
    state,
    offset: head,
    conversation_count: context.turnCount,
    expires_at: expiresAt,
    absolute_expires_at: absoluteEndsAt(context),
    // A turn that runs keeps its session beyond the idle deadline.
    is_active: state !== 'expired' && (state === 'processing' || expiresAt > now),
  };
}
