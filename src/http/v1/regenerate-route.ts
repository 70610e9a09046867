/** Serves `POST /v1/sessions/{id}/regenerate`: takes turns back, and answers the question of the first again. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { messageIdSchema, userIdSchema } from '../../protocol/client-frames.ts';
import { regenerateEvent } from '../../protocol/to-event.ts';
import { type HttpRequest, parseOptionalBody, participantIn } from '../core/request.ts';
import type { Route } from '../core/router.ts';
import { sessionParamsSchema } from '../sessions/session-description.ts';
import { TURN_ERRORS } from '../turns/take-part.ts';
import { instructionsIn, type TurnInput, type TurnPorts } from '../turns/turn-request.ts';
import { regenerateExample } from './examples.ts';
import { sessionUuidIn, turnExtrasSchema } from './message-route.ts';
import { answerWithTurn, turnAnswers, turnHeadersSchema } from './turn-answer.ts';

const regenerateRequestSchema = z
  .strictObject({
    id: messageIdSchema
      .optional()
      .describe('Names the request: sent again, to any instance, it gets the same turn.'),
    turn_id: z
      .string()
      .min(1)
      .max(64)
      .optional()
      .describe('The first turn that is taken back, with all after it. Absent: the last turn.'),
    content: z.string().min(1).optional().describe("A question that replaces the turn's own."),
    ...turnExtrasSchema.shape,
    user_id: userIdSchema.optional().describe('author of the questions'),
  })
  .meta({ id: 'RegenerateRequest' });

const ROUTE = { method: 'POST', path: '/v1/sessions/:id/regenerate' } as const;

export function regenerateRoute(ports: TurnPorts): Route {
  return {
    ...ROUTE,
    describe: {
      name: 'regenerateTurn',
      summary: 'Answers a question again, or an edited one, and forgets the turns from there on',
      details:
        'It is refused while a turn runs, and for questions of another user. The new answer is a turn of its own; readers get `turn.retracted` for each turn that is taken back.',
      params: sessionParamsSchema,
      headers: turnHeadersSchema,
      body: regenerateRequestSchema,
      isBodyOptional: true,
      answers: turnAnswers,
      errors: [...TURN_ERRORS, 'unknown_turn', 'archive_unavailable'],
      example: regenerateExample,
    },
    answer: (request) =>
      answerWithTurn(ports, request, `${ROUTE.method} ${ROUTE.path}`, () => parseRegenerate(request)),
  };
}

async function parseRegenerate(request: HttpRequest): Promise<TurnInput> {
  const body = await parseOptionalBody(regenerateRequestSchema, request);
  const { turn_id, content, options, tags, client_id, user_id } = body;
  const instructions = instructionsIn(request, body.instructions);
  const sessionId = sessionUuidIn(request);
  const id = body.id ?? randomUUID();
  return {
    // There is nothing to take back in a session that does not exist.
    participant: { ...participantIn(request, user_id), seesOwnOnly: true },
    sessionId,
    isNew: false,
    arrival: client_id === undefined ? {} : { client_id },
    message: {
      kind: 'send',
      id,
      repeatable: body.id !== undefined,
      event: (sender) =>
        regenerateEvent({ id, turn_id, content, options, instructions, tags }, sessionId, sender),
    },
  };
}
