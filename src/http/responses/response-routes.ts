/** Serves one response: reading it, following its stream from any event on, cancelling it, and its input. */
import { z } from 'zod';
import { type HttpAnswer, json, Refusal } from '../core/answer.ts';
import { type HttpRequest, parseQuery } from '../core/request.ts';
import { jsonAnswer, type Route } from '../core/router.ts';
import { cancelTurn } from '../turns/cancel-turn.ts';
import { SSE_HEADERS } from '../turns/encoder.ts';
import { turnQuery } from '../turns/find-turn.ts';
import { followingRequest, streamOwnTurn } from '../turns/follow-turn.ts';
import type { TurnPorts } from '../turns/turn-request.ts';
import { endConversation } from './conversations/end-conversation.ts';
import { findResponse, namedIn, responseOf } from './find-response.ts';
import { itemListSchema, itemPage, questionItem } from './items.ts';
import { openaiErrors } from './openai-error.ts';
import { endedStream, ResponseEncoder } from './response-encoder.ts';
import { responseSchema } from './response-object.ts';
import { absent } from './response-place.ts';

const paramsSchema = z.object({ id: z.string().describe('id of the response') });

const readQuerySchema = z.object({
  stream: z.enum(['true', 'false']).default('false').describe('true: the events of the response'),
  starting_after: z
    .string()
    .regex(/^\d{1,15}$/, 'is not a number')
    .optional()
    .describe('With `stream=true`: `sequence_number` of the last event that the client has.'),
});

const deletedSchema = z
  .strictObject({ id: z.string(), object: z.literal('response'), deleted: z.literal(true) })
  .meta({ id: 'DeletedResponse' });

const UNAVAILABLE = ['store_unavailable', 'archive_unavailable', 'overloaded', 'draining'] as const;

export const responseRoutes = (ports: TurnPorts): readonly Route[] => [
  readRoute(ports),
  cancelRoute(ports),
  deleteRoute(ports),
  inputRoute(ports),
];

function readRoute(ports: TurnPorts): Route {
  return {
    method: 'GET',
    path: '/v1/responses/:id',
    audit: 'read',
    describe: {
      name: 'readResponse',
      summary: 'A response as it is now, or its events',
      details:
        'Any instance answers. While the answer runs, `output` has the text so far. Once the log has lost the events, a stream with `starting_after` has only the closing ones, which carry the whole text.',
      params: paramsSchema,
      query: readQuerySchema,
      answers: {
        200: {
          description: 'The response. With `stream=true` its events, the last one `[DONE]`.',
          content: { 'application/json': responseSchema, 'text/event-stream': z.string() },
        },
      },
      errors: ['bad_request', 'not_found', 'forbidden', ...UNAVAILABLE],
      errorForm: openaiErrors,
    },
    async answer(request) {
      const { stream, starting_after } = parseQuery(readQuerySchema, request.query);
      if (stream === 'true') return answerStream(ports, request, Number(starting_after ?? 0));
      const { facts, turn } = await findResponse(ports, request);
      return json(200, responseOf(facts, turn.frames));
    },
  };
}

async function answerStream(ports: TurnPorts, request: HttpRequest, after: number): Promise<HttpAnswer> {
  const { facts, turn, name } = await findResponse(ports, request);
  const { frames, isRebuilt, state } = turn;
  if (state === 'ended')
    return ports.longReads.answer(request, SSE_HEADERS, endedStream(facts, frames, isRebuilt, after));
  const encoder = new ResponseEncoder(facts, { after, frames });
  const query = turnQuery(request, name.sessionId, name.turnId);
  return streamOwnTurn(ports, followingRequest(ports, request, query), encoder);
}

function cancelRoute(ports: TurnPorts): Route {
  return {
    method: 'POST',
    path: '/v1/responses/:id/cancel',
    audit: 'cancelled',
    describe: {
      name: 'cancelResponse',
      summary: 'Cancels a response, on whichever instance it runs',
      details:
        'For every response, not only for those of the background. A response that has ended stays as it is, and a second request changes nothing.',
      params: paramsSchema,
      answers: { 200: jsonAnswer('The response as it is now.', responseSchema) },
      errors: ['not_found', 'forbidden', 'session_moved', ...UNAVAILABLE],
      errorForm: openaiErrors,
    },
    async answer(request) {
      const { sessionId, turnId } = namedIn(request);
      const { facts } = await findResponse(ports, request);
      const turn = await cancelTurn(ports, request, sessionId, turnId);
      if (turn === null) throw absent('response_id');
      return json(200, responseOf(facts, turn.frames));
    },
  };
}

function deleteRoute(ports: TurnPorts): Route {
  return {
    method: 'DELETE',
    path: '/v1/responses/:id',
    audit: 'deleted',
    describe: {
      name: 'deleteResponse',
      summary: 'Deletes the only response of a conversation, together with the conversation',
      details:
        'A response beside others cannot be deleted: the later ones build on it. The archive keeps the conversation for its retention, and no route of the OpenAI form shows it any more.',
      params: paramsSchema,
      answers: { 200: jsonAnswer('The response and its conversation are deleted.', deletedSchema) },
      errors: [
        'unsupported_parameter',
        'not_found',
        'forbidden',
        'session_expired',
        'session_moved',
        ...UNAVAILABLE,
      ],
      errorForm: openaiErrors,
    },
    async answer(request) {
      const { conversation, name } = await findResponse(ports, request);
      const others = conversation.turns.filter(({ turnId }) => turnId !== name.turnId);
      if (others.length > 0 || conversation.queuedTurnIds.length > 0)
        throw new Refusal(
          'unsupported_parameter',
          'response_id: its conversation has other responses; delete the conversation',
        );
      await endConversation(ports, request, name.sessionId);
      return json(200, { id: request.params.id, object: 'response', deleted: true });
    },
  };
}

function inputRoute(ports: TurnPorts): Route {
  return {
    method: 'GET',
    path: '/v1/responses/:id/input_items',
    audit: 'read',
    describe: {
      name: 'listInputItems',
      summary: 'The message that a response answers',
      params: paramsSchema,
      answers: { 200: jsonAnswer('One item.', itemListSchema) },
      errors: ['not_found', 'forbidden', ...UNAVAILABLE],
      errorForm: openaiErrors,
    },
    async answer(request) {
      const { turn, conversation, name } = await findResponse(ports, request);
      const started = turn.frames.findLast((frame) => frame.type === 'turn.started');
      const stored = conversation.turns.find(({ turnId }) => turnId === name.turnId)?.question.content;
      const content = started?.type === 'turn.started' ? started.content : stored;
      const items = content === undefined ? [] : [questionItem(name.turnId, content)];
      return json(200, itemPage(items, { limit: 1, order: 'desc' }));
    },
  };
}
