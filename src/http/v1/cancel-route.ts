/** Serves `POST /v1/sessions/{id}/cancel`: stops the running turn, on whichever instance it runs. */
import { z } from 'zod';
import { messageIdSchema, userIdSchema } from '../../protocol/client-frames.ts';
import { derivedUuid } from '../../protocol/derived-uuid.ts';
import type { SessionView } from '../../session/router/session-view.ts';
import { json, Refusal } from '../core/answer.ts';
import { parseOptionalBody, sessionIdIn } from '../core/request.ts';
import { jsonAnswer, type Route } from '../core/router.ts';
import { sessionParamsSchema } from '../sessions/session-description.ts';
import { cancelTurn } from '../turns/cancel-turn.ts';
import { findUnderWay } from '../turns/find-turn.ts';
import { turnStateOf } from '../turns/read-turns.ts';
import type { TurnPorts } from '../turns/turn-request.ts';
import { cancelExample } from './examples.ts';
import { writableSession, writerOf } from './writable-session.ts';

const cancelRequestSchema = z
  .strictObject({
    turn_id: z.string().min(1).max(64).optional().describe('Turn to cancel. Absent: the one that runs.'),
    message_id: messageIdSchema.optional().describe('a message of the turn, in place of `turn_id`'),
    user_id: userIdSchema.optional().describe('user who cancels'),
  })
  .meta({ id: 'CancelRequest' });

const cancellationSchema = z
  .strictObject({
    session_id: z.uuid(),
    turn_id: z.string().nullable().describe('the turn that was cancelled or had ended; null: none ran'),
    state: z
      .enum(['cancelled', 'completed', 'failed', 'running', 'idle'])
      .describe(
        'How the turn ended; `idle`: no turn ran. `running`: the instance that runs it has not answered yet.',
      ),
  })
  .meta({ id: 'Cancellation' });

export function cancelRoute(ports: TurnPorts): Route {
  return {
    method: 'POST',
    path: '/v1/sessions/:id/cancel',
    audit: 'cancelled',
    describe: {
      name: 'cancelTurn',
      summary: 'Cancels the running turn of a session, on whichever instance it runs',
      details:
        'What the model has said stays in the conversation, and the next message in the queue starts its turn. A repeated request with the same `turn_id` changes nothing, and gets the end of that turn. A `turn_id` or a `message_id` may also name a message that waits in the queue.',
      params: sessionParamsSchema,
      body: cancelRequestSchema,
      isBodyOptional: true,
      answers: { 200: jsonAnswer('The turn runs no more, unless `state` is `running`.', cancellationSchema) },
      errors: [
        'bad_request',
        'too_large',
        'forbidden',
        'session_not_found',
        'session_moved',
        'unknown_turn',
        'store_unavailable',
        'archive_unavailable',
        'overloaded',
        'draining',
      ],
      example: cancelExample,
    },
    async answer(request) {
      const { turn_id, message_id, user_id } = await parseOptionalBody(cancelRequestSchema, request);
      const session_id = sessionIdIn(request);
      const writer = writerOf(request, user_id);
      const view = await writableSession(ports, request, writer);
      const named = turn_id ?? (message_id === undefined ? undefined : turnOf(session_id, message_id, view));
      // The turn of an ended session is in the archive.
      if (view === null && named === undefined) throw new Refusal('session_not_found');
      const cancelled = named ?? view?.context.turn?.id ?? null;
      if (cancelled === null) return json(200, { session_id, turn_id: null, state: 'idle' });
      const turn = await cancelTurn(ports, request, session_id, cancelled, writer.participant);
      if (turn === null) throw new Refusal(view === null ? 'session_not_found' : 'unknown_turn');
      return json(200, { session_id, turn_id: cancelled, state: turnStateOf(turn) });
    },
  };
}

/** The turn of a message that runs or waits; else the turn that the message has if it came over HTTP. */
function turnOf(sessionId: string, messageId: string, view: SessionView | null): string {
  const turnId = derivedUuid('turn', sessionId, messageId);
  const underWay = view === null ? null : findUnderWay(view.context, { turnId, messageId });
  return underWay?.turnId ?? turnId;
}
