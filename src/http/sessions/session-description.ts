/** Describes a session without its conversation. */
import { z } from 'zod';
import { endsOf } from '../../../machines/deadlines.ts';
import { topStateSchema } from '../../../machines/vocabulary.ts';
import type { SessionView } from '../../session/router/session-view.ts';

const at = z.int().describe('ms since the epoch');
const name = z.string().nullable();

export const sessionParamsSchema = z.object({ id: z.uuid().describe('id of the session') });

export const sessionSchema = z
  .strictObject({
    session_id: z.uuid(),
    client_id: name.describe('client that named itself last; with `AUTH`, only the owner gets it'),
    user_id: name.describe('owner of the session'),
    diagnosis_id: name,
    created_at: at,
    connected_at: at.describe('when a client last connected'),
    last_activity_at: at,
    state: topStateSchema,
    offset: z.int().describe('offset of the last frame in its log'),
    conversation_count: z.int().describe('turns so far'),
    expires_at: at.describe('when it ends if it stays idle, `absolute_expires_at` at the latest'),
    absolute_expires_at: at.describe('when it ends in any case'),
    is_active: z.boolean(),
    origin: z
      .strictObject({ session_id: z.uuid(), turn_id: z.string().nullable() })
      .optional()
      .describe('the session that this one was forked from, and the last turn that was copied'),
  })
  .meta({ id: 'Session' });

/** `forOwner`: others get no `client_id`, because they need not know the devices of the owner. */
export function describeSession(
  { context, state, head }: SessionView,
  now: number,
  forOwner: boolean,
): z.infer<typeof sessionSchema> {
  const { expiresAt, absoluteExpiresAt } = endsOf(context);
  return {
    session_id: context.sessionId,
    client_id: forOwner ? context.clientId : null,
    user_id: context.userId,
    diagnosis_id: context.diagnosisId,
    created_at: context.createdAt,
    connected_at: context.connectedAt,
    last_activity_at: context.lastActivityAt,
    state,
    offset: head,
    conversation_count: context.turnCount,
    expires_at: expiresAt,
    absolute_expires_at: absoluteExpiresAt,
    // A running turn keeps its session beyond the idle deadline.
    is_active: state !== 'expired' && (state === 'processing' || expiresAt > now),
    // A session whose first turns a client brought is its own origin.
    ...(context.origin === undefined || context.origin.sessionId === context.sessionId
      ? {}
      : { origin: { session_id: context.origin.sessionId, turn_id: context.origin.turnId } }),
  };
}
