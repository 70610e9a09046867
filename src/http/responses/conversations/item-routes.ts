/** Serves the items of a conversation: the messages of its user and of the model. */
import { z } from 'zod';
import { JSON_HEADERS, json, Refusal } from '../../core/answer.ts';
import { jsonPieces } from '../../core/json-pieces.ts';
import { parseQuery } from '../../core/request.ts';
import { jsonAnswer, type Route } from '../../core/router.ts';
import type { TurnPorts } from '../../turns/turn-request.ts';
import { itemListSchema, itemPage, itemSchema, itemsOf } from '../items.ts';
import { openaiErrors } from '../openai-error.ts';
import { absent } from '../response-place.ts';
import { conversationParamsSchema } from './conversation-routes.ts';
import { findConversation } from './find-conversation.ts';

const itemParamsSchema = conversationParamsSchema.extend({ item: z.string().describe('id of the item') });

const listQuerySchema = z.object({
  after: z.string().optional().describe('id of the last item of the previous page'),
  limit: z.coerce.number().int().min(1).max(100).default(20),
  order: z.enum(['asc', 'desc']).default('desc'),
});

const ERRORS = [
  'not_found',
  'forbidden',
  'store_unavailable',
  'archive_unavailable',
  'overloaded',
  'draining',
] as const;

export const itemRoutes = (ports: TurnPorts): readonly Route[] => [
  listRoute(ports),
  readRoute(ports),
  createRoute(ports),
  deleteRoute(ports),
];

function listRoute(ports: TurnPorts): Route {
  return {
    method: 'GET',
    path: '/v1/conversations/:id/items',
    audit: 'read',
    describe: {
      name: 'listItems',
      summary: 'The messages of a conversation, page by page, without the running answer',
      params: conversationParamsSchema,
      query: listQuerySchema,
      answers: { 200: jsonAnswer('One page of items.', itemListSchema) },
      errors: ['bad_request', ...ERRORS],
      errorForm: openaiErrors,
    },
    async answer(request) {
      const query = parseQuery(listQuerySchema, request.query);
      const { turns, runningTurnId } = await findConversation(ports, request);
      const page = itemPage(itemsOf(turns, runningTurnId), query);
      if (page === null) throw absent('after');
      return ports.longReads.answer(request, JSON_HEADERS, jsonPieces(page));
    },
  };
}

function readRoute(ports: TurnPorts): Route {
  return {
    method: 'GET',
    path: '/v1/conversations/:id/items/:item',
    audit: 'read',
    describe: {
      name: 'readItem',
      summary: 'One message of a conversation',
      params: itemParamsSchema,
      answers: { 200: jsonAnswer('The item.', itemSchema) },
      errors: ERRORS,
      errorForm: openaiErrors,
    },
    async answer(request) {
      const { turns, runningTurnId } = await findConversation(ports, request);
      const item = itemsOf(turns, runningTurnId).find(({ id }) => id === request.params.item);
      if (item === undefined) throw absent('item_id');
      return json(200, item);
    },
  };
}

function createRoute(ports: TurnPorts): Route {
  return {
    method: 'POST',
    path: '/v1/conversations/:id/items',
    audit: 'read',
    describe: {
      name: 'createItems',
      summary: 'Not supported: messages come with `POST /v1/responses`',
      params: conversationParamsSchema,
      answers: { 200: jsonAnswer('Never: the request is refused.', itemListSchema) },
      errors: ['unsupported_parameter', ...ERRORS],
      errorForm: openaiErrors,
    },
    async answer(request) {
      await findConversation(ports, request);
      throw new Refusal(
        'unsupported_parameter',
        'items: a conversation takes messages with POST /v1/responses only',
      );
    },
  };
}

function deleteRoute(ports: TurnPorts): Route {
  return {
    method: 'DELETE',
    path: '/v1/conversations/:id/items/:item',
    audit: 'read',
    describe: {
      name: 'deleteItem',
      summary: 'Not supported: later answers build on every message',
      params: itemParamsSchema,
      answers: { 200: jsonAnswer('Never: the request is refused.', itemSchema) },
      errors: ['unsupported_parameter', ...ERRORS],
      errorForm: openaiErrors,
    },
    async answer(request) {
      const { turns, runningTurnId } = await findConversation(ports, request);
      if (!itemsOf(turns, runningTurnId).some(({ id }) => id === request.params.item))
        throw absent('item_id');
      throw new Refusal('unsupported_parameter', 'item_id: a message of a conversation cannot be deleted');
    },
  };
}
