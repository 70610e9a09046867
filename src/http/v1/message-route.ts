/** Serves `POST /v1/sessions/{id}/messages`: one turn of any conversation, as JSON or as a stream of its frames. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { overlapPolicySchema, tagsSchema } from '../../../machines/vocabulary.ts';
import {
  generationOptionsSchema,
  instructionsSchema,
  messageIdSchema,
  nameSchema,
  userIdSchema,
} from '../../protocol/client-frames.ts';
import { derivedUuid } from '../../protocol/derived-uuid.ts';
import { messageEvent } from '../../protocol/to-event.ts';
import { Refusal } from '../core/answer.ts';
import { type HttpRequest, parseBody, participantIn, sessionIdIn } from '../core/request.ts';
import type { Route } from '../core/router.ts';
import { sessionParamsSchema } from '../sessions/session-description.ts';
import { TURN_ERRORS } from '../turns/take-part.ts';
import { instructionsIn, type TurnInput, type TurnPorts } from '../turns/turn-request.ts';
import { messageExample } from './examples.ts';
import { answerWithTurn, turnAnswers, turnHeadersSchema } from './turn-answer.ts';

export const turnExtrasSchema = z.object({
  options: generationOptionsSchema.optional(),
  instructions: instructionsSchema
    .optional()
    .describe(
      "Added to the system prompt of this turn. With `AUTH`, only a service's credential may send it.",
    ),
  tags: tagsSchema.optional().describe('up to 16 short notes, which `turn.started` repeats'),
  client_id: nameSchema.optional(),
});

const messageRequestSchema = z
  .strictObject({
    content: z.string().min(1),
    id: messageIdSchema
      .optional()
      .describe('Names the message: a request that is sent again, to any instance, gets the same turn.'),
    policy: overlapPolicySchema.optional().describe('what happens if another turn is running'),
    ...turnExtrasSchema.shape,
    user_id: userIdSchema.optional().describe('author of the message'),
  })
  .meta({ id: 'MessageRequest' });

const ROUTE = { method: 'POST', path: '/v1/sessions/:id/messages' } as const;

export function messageRoute(ports: TurnPorts): Route {
  return {
    ...ROUTE,
    describe: {
      name: 'sendMessage',
      summary: 'One turn of any conversation: a message in, an answer out',
      details:
        'The WebSocket serves the same sessions. A turn goes on when its client disconnects; the same message id finds it again, on any instance.',
      params: sessionParamsSchema,
      headers: turnHeadersSchema,
      body: messageRequestSchema,
      answers: turnAnswers,
      errors: [...TURN_ERRORS, 'archive_unavailable'],
      example: messageExample,
    },
    answer: (request) =>
      answerWithTurn(ports, request, `${ROUTE.method} ${ROUTE.path}`, () => parseMessage(request)),
  };
}

async function parseMessage(request: HttpRequest): Promise<TurnInput> {
  const body = parseBody(messageRequestSchema, await request.body());
  const { content, policy, options, tags, client_id, user_id } = body;
  const instructions = instructionsIn(request, body.instructions);
  const sessionId = sessionUuidIn(request);
  const id = body.id ?? randomUUID();
  const turnId = derivedUuid('turn', sessionId, id);
  return {
    participant: participantIn(request, user_id),
    sessionId,
    isNew: false,
    arrival: client_id === undefined ? {} : { client_id },
    message: {
      kind: 'send',
      id,
      repeatable: body.id !== undefined,
      event: (sender) =>
        messageEvent({ id, content, policy, options, instructions, tags }, sender, undefined, turnId),
    },
  };
}

export function sessionUuidIn(request: HttpRequest): string {
  const sessionId = sessionIdIn(request);
  if (!z.uuid().safeParse(sessionId).success) throw new Refusal('bad_request', 'id: is not a UUID');
  return sessionId;
}
