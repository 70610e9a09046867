/** Serves conversations of the OpenAI form: each one is a session. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { json, problem, Refusal } from '../../core/answer.ts';
import { type HttpRequest, parseOptionalBody, participantIn } from '../../core/request.ts';
import { jsonAnswer, type Route } from '../../core/router.ts';
import { whileAttached } from '../../turns/attach-turn.ts';
import type { Conversation } from '../../turns/read-turns.ts';
import { takePart } from '../../turns/take-part.ts';
import type { TurnPorts } from '../../turns/turn-request.ts';
import { visitor } from '../../v1/create-route.ts';
import { conversationIdOf } from '../ids.ts';
import { openaiErrors } from '../openai-error.ts';
import { endConversation } from './end-conversation.ts';
import { findConversation } from './find-conversation.ts';

export const conversationParamsSchema = z.object({ id: z.string().describe('id of the conversation') });

const conversationSchema = z
  .strictObject({
    id: z.string(),
    object: z.literal('conversation'),
    created_at: z.int().describe('seconds since the epoch'),
    metadata: z.strictObject({}),
  })
  .meta({ id: 'Conversation' });

const deletedSchema = z
  .strictObject({ id: z.string(), object: z.literal('conversation.deleted'), deleted: z.literal(true) })
  .meta({ id: 'DeletedConversation' });

const UNAVAILABLE = ['store_unavailable', 'archive_unavailable', 'overloaded', 'draining'] as const;

export const conversationRoutes = (ports: TurnPorts): readonly Route[] => [
  createRoute(ports),
  readRoute(ports),
  updateRoute(ports),
  deleteRoute(ports),
];

const CREATE = { method: 'POST', path: '/v1/conversations' } as const;

function createRoute(ports: TurnPorts): Route {
  return {
    ...CREATE,
    describe: {
      name: 'createConversation',
      summary: 'Starts a conversation, in the form of the OpenAI Conversations API',
      details:
        'The conversation is a session, and ends like one: after its idle time. `items` and `metadata` must be empty, because a session keeps neither.',
      body: z.looseObject({}).meta({ id: 'ConversationRequest' }),
      isBodyOptional: true,
      answers: { 200: jsonAnswer('The conversation is new.', conversationSchema) },
      errors: [
        'bad_request',
        'unsupported_parameter',
        'too_large',
        'forbidden',
        'session_expired',
        'session_moved',
        'too_many_sessions',
        'audit_unavailable',
        ...UNAVAILABLE,
      ],
      errorForm: openaiErrors,
    },
    answer(request) {
      return takePart(ports, request, {
        route: `${CREATE.method} ${CREATE.path}`,
        isStream: false,
        async parse() {
          await refuseFields(request);
          const message = { kind: 'listen', after: 0 } as const;
          return {
            participant: participantIn(request),
            sessionId: randomUUID(),
            isNew: true,
            arrival: {},
            message,
          };
        },
        async answer(turn) {
          const refused = await whileAttached(ports, turn, null, visitor(), async () => null);
          if (refused !== null) return problem(refused.code, request.requestId);
          return json(200, described({ sessionId: turn.sessionId, createdAt: ports.clock.now() }));
        },
      });
    },
  };
}

function readRoute(ports: TurnPorts): Route {
  return {
    method: 'GET',
    path: '/v1/conversations/:id',
    audit: 'read',
    describe: {
      name: 'readConversation',
      summary: 'A conversation, without its items',
      params: conversationParamsSchema,
      answers: { 200: jsonAnswer('The conversation, also after its end.', conversationSchema) },
      errors: ['not_found', 'forbidden', ...UNAVAILABLE],
      errorForm: openaiErrors,
    },
    answer: async (request) => json(200, described(await findConversation(ports, request))),
  };
}

function updateRoute(ports: TurnPorts): Route {
  return {
    method: 'POST',
    path: '/v1/conversations/:id',
    audit: 'read',
    describe: {
      name: 'updateConversation',
      summary: 'A conversation; metadata cannot be changed',
      details: 'A session keeps no metadata of its own, so `metadata` must be empty.',
      params: conversationParamsSchema,
      body: z.looseObject({}).meta({ id: 'ConversationUpdate' }),
      isBodyOptional: true,
      answers: { 200: jsonAnswer('The conversation.', conversationSchema) },
      errors: ['bad_request', 'unsupported_parameter', 'too_large', 'not_found', 'forbidden', ...UNAVAILABLE],
      errorForm: openaiErrors,
    },
    async answer(request) {
      const conversation = await findConversation(ports, request);
      await refuseFields(request);
      return json(200, described(conversation));
    },
  };
}

function deleteRoute(ports: TurnPorts): Route {
  return {
    method: 'DELETE',
    path: '/v1/conversations/:id',
    audit: 'deleted',
    describe: {
      name: 'deleteConversation',
      summary: 'Ends a conversation and its running answer',
      details:
        'The archive keeps the conversation for its retention, and no route of the OpenAI form shows it any more.',
      params: conversationParamsSchema,
      answers: { 200: jsonAnswer('The conversation is deleted.', deletedSchema) },
      errors: ['not_found', 'forbidden', 'session_expired', 'session_moved', ...UNAVAILABLE],
      errorForm: openaiErrors,
    },
    async answer(request) {
      const { sessionId } = await findConversation(ports, request);
      await endConversation(ports, request, sessionId);
      return json(200, { id: conversationIdOf(sessionId), object: 'conversation.deleted', deleted: true });
    },
  };
}

const described = ({ sessionId, createdAt }: Pick<Conversation, 'sessionId' | 'createdAt'>) => ({
  id: conversationIdOf(sessionId),
  object: 'conversation',
  created_at: Math.floor(createdAt / 1_000),
  metadata: {},
});

/** A session keeps neither messages that it did not take part in nor metadata. */
async function refuseFields(request: HttpRequest): Promise<void> {
  const body = await parseOptionalBody(z.looseObject({}), request);
  for (const [name, value] of Object.entries(body)) {
    const asksForNothing = value === null || (typeof value === 'object' && Object.keys(value).length === 0);
    if (!asksForNothing || (name !== 'items' && name !== 'metadata'))
      throw new Refusal('unsupported_parameter', `${name.slice(0, 60)}: a conversation cannot keep it`);
  }
}
