/** Serves `POST /v1/sessions/{id}/messages`: one turn of any conversation, as JSON or as a stream of its frames. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { overlapPolicySchema } from '../../../machines/vocabulary.ts';
import { generationOptionsSchema, nameSchema, userIdSchema } from '../../protocol/client-frames.ts';
import { derivedUuid } from '../../protocol/derived-uuid.ts';
import { turnMetadataSchema, usageSchema } from '../../protocol/server-frames.ts';
import { messageEvent } from '../../protocol/to-event.ts';
import { type HttpAnswer, json, Refusal } from '../core/answer.ts';
import { type HttpRequest, parseBody, participantIn, sessionIdIn } from '../core/request.ts';
import type { Route } from '../core/router.ts';
import { sessionParamsSchema } from '../sessions/session-description.ts';
import { type Encoder, endEvent, eventText, seenPieceIn } from '../turns/encoder.ts';
import { awaitOwnTurn, sendingRequest, streamOwnTurn } from '../turns/follow-turn.ts';
import { problemOf, TURN_ERRORS, takePart } from '../turns/take-part.ts';
import type { TurnResult } from '../turns/turn-collector.ts';
import type { TurnInput, TurnPorts } from '../turns/turn-request.ts';
import { messageExample } from './examples.ts';

const messageRequestSchema = z
  .strictObject({
    content: z.string().min(1),
    id: z
      .string()
      .min(1)
      .max(64)
      .optional()
      .describe('Names the message: a request that is sent again, to any instance, gets the same turn.'),
    policy: overlapPolicySchema.optional().describe('what happens if another turn is running'),
    options: generationOptionsSchema.optional(),
    client_id: nameSchema.optional(),
    user_id: userIdSchema.optional().describe('author of the message'),
  })
  .meta({ id: 'MessageRequest' });

const messageHeadersSchema = z.object({
  'last-event-id': z
    .string()
    .optional()
    .describe(
      'For a stream: the last offset that the client saw; the stream resumes after it. Needs the message `id`.',
    ),
});

const messageAnswerSchema = z
  .strictObject({
    session_id: z.uuid(),
    turn_id: z.string(),
    message_id: z.string(),
    content: z.string().describe('the answer of the model'),
    finish_reason: z.string(),
    usage: usageSchema,
    metadata: turnMetadataSchema,
    offset: z.int().describe("offset of the turn's last frame; 0 if the log no longer has the turn"),
  })
  .meta({ id: 'MessageAnswer' });

const frameEncoder = (retryAfterMs: () => number): Encoder => ({
  headers: {},
  keepAlive: ': \n\n',
  frame: (frame) => [eventText(frame.offset === 0 ? null : frame.offset, frame.type, JSON.stringify(frame))],
  end: (result) => (result.kind === 'refused' ? [endEvent(result.code, retryAfterMs)] : []),
});

const ROUTE = 'POST /v1/sessions/:id/messages';

export function messageRoute(ports: TurnPorts): Route {
  return {
    method: 'POST',
    path: '/v1/sessions/:id/messages',
    describe: {
      name: 'sendMessage',
      summary: 'One turn of any conversation: a message in, an answer out',
      details:
        'The WebSocket serves the same sessions. A turn goes on when its client disconnects; the same message id finds it again, on any instance.',
      params: sessionParamsSchema,
      headers: messageHeadersSchema,
      body: messageRequestSchema,
      answers: {
        200: {
          description:
            'The turn is completed. With `Accept: text/event-stream`: the frames of this turn, each with its offset as `id`. The stream ends with the turn, or with an `error` event.',
          content: { 'application/json': messageAnswerSchema, 'text/event-stream': z.string() },
        },
      },
      errors: [...TURN_ERRORS, 'archive_unavailable'],
      example: messageExample,
    },
    answer(request) {
      const isStream = request.header('accept').includes('text/event-stream');
      const seen = isStream ? seenPieceIn(request.header('last-event-id')) : null;
      return takePart(ports, request, {
        route: ROUTE,
        isStream,
        parse: () => parseMessage(request),
        async answer(turn) {
          const { message, sessionId } = turn;
          if (message.kind !== 'send') throw new Refusal('bad_request');
          const own = sendingRequest(turn, request, derivedUuid('turn', sessionId, message.id));
          if (isStream) return streamOwnTurn(ports, own, frameEncoder(ports.retryAfterMs), seen);
          const { result } = await awaitOwnTurn(ports, own);
          return answerFor(request.requestId, sessionId, message.id, result);
        },
      });
    },
  };
}

async function parseMessage(request: HttpRequest): Promise<TurnInput> {
  const body = parseBody(messageRequestSchema, await request.body());
  const { content, policy, options, client_id, user_id } = body;
  const sessionId = sessionIdIn(request);
  if (!z.uuid().safeParse(sessionId).success) throw new Refusal('bad_request', 'id: is not a UUID');
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
      event: (sender) => messageEvent({ id, content, policy, options }, sender, undefined, turnId),
    },
  };
}

function answerFor(
  requestId: string,
  session_id: string,
  message_id: string,
  result: TurnResult,
): HttpAnswer {
  if (result.kind !== 'completed') return problemOf(requestId, result);
  const { turn_id, finish_reason, usage, metadata, offset } = result.frame;
  const content = result.text ?? '';
  return json(200, { session_id, turn_id, message_id, content, finish_reason, usage, metadata, offset });
}
