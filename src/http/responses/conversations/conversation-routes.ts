/** Serves conversations of the OpenAI form: each one is a session. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { accessOf } from '../../../../machines/access.ts';
import { tagsSchema } from '../../../../machines/vocabulary.ts';
import type { Participant } from '../../../identity/acting-user.ts';
import { json, problem, Refusal } from '../../core/answer.ts';
import { type HttpRequest, parseBody, parseOptionalBody, participantIn } from '../../core/request.ts';
import { jsonAnswer, type Route } from '../../core/router.ts';
import { whileAttached } from '../../turns/attach-turn.ts';
import { reachableSession, sessionQuery } from '../../turns/find-turn.ts';
import type { Conversation } from '../../turns/read-turns.ts';
import { takePart } from '../../turns/take-part.ts';
import type { TurnPorts } from '../../turns/turn-request.ts';
import { visitor } from '../../v1/create-route.ts';
import { conversationIdOf } from '../ids.ts';
import { readItems, toldTurns } from '../input.ts';
import { openaiErrors } from '../openai-error.ts';
import { endConversation } from './end-conversation.ts';
import { findConversation } from './find-conversation.ts';
import { beginConversation, type Seed } from './open-conversation.ts';

export const conversationParamsSchema = z.object({ id: z.string().describe('id of the conversation') });

const conversationSchema = z
  .strictObject({
    id: z.string(),
    object: z.literal('conversation'),
    created_at: z.int().describe('seconds since the epoch'),
    metadata: tagsSchema,
  })
  .meta({ id: 'Conversation' });

const metadataSchema = tagsSchema
  .nullish()
  .describe(
    'Up to 16 notes of at most 512 characters, with names of at most 64. The model does not read them.',
  );

const createSchema = z
  .strictObject({
    items: z
      .array(z.unknown())
      .nullish()
      .describe('Messages of user and assistant, with text, with which the conversation begins.'),
    metadata: metadataSchema,
  })
  .meta({ id: 'ConversationRequest' });

const updateSchema = z.strictObject({ metadata: metadataSchema }).meta({ id: 'ConversationUpdate' });

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
        'The conversation is a session, and ends like one: after its idle time. Its metadata are the tags of the session, and end with it.',
      body: createSchema,
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
      example: {
        body: {
          items: [
            { role: 'user', content: 'My knee hurts.' },
            { role: 'assistant', content: 'Since when?' },
          ],
          metadata: { topic: 'knee' },
        },
        answers: {},
      },
    },
    answer(request) {
      let seed: Seed;
      return takePart(ports, request, {
        route: `${CREATE.method} ${CREATE.path}`,
        isStream: false,
        async parse() {
          const { items, metadata } = await parseOptionalBody(createSchema, request);
          const { said, instructions } = readItems(items ?? [], 'items');
          if (instructions.length > 0)
            throw new Refusal('unsupported_parameter', 'items: only messages of user and assistant');
          seed = { turns: toldTurns(said), tags: metadata ?? {} };
          const participant = participantIn(request);
          const message = { kind: 'listen', after: 0 } as const;
          return { participant, sessionId: randomUUID(), isNew: true, arrival: {}, message };
        },
        async answer(turn) {
          const refused = await beginConversation(ports, turn, seed);
          if (refused !== null) return problem(refused, request.requestId);
          const { tags = {} } = seed;
          return json(200, described({ sessionId: turn.sessionId, createdAt: ports.clock.now(), tags }));
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

const UPDATE = { method: 'POST', path: '/v1/conversations/:id' } as const;

function updateRoute(ports: TurnPorts): Route {
  return {
    ...UPDATE,
    describe: {
      name: 'updateConversation',
      summary: 'Replaces the metadata of a conversation',
      params: conversationParamsSchema,
      body: updateSchema,
      answers: { 200: jsonAnswer('The conversation.', conversationSchema) },
      errors: [
        'bad_request',
        'too_large',
        'not_found',
        'forbidden',
        'session_not_found',
        'session_expired',
        'session_moved',
        'audit_unavailable',
        ...UNAVAILABLE,
      ],
      errorForm: openaiErrors,
    },
    answer(request) {
      let found: Conversation;
      return takePart(ports, request, {
        route: `${UPDATE.method} ${UPDATE.path}`,
        isStream: false,
        async parse() {
          const { metadata } = parseBody(updateSchema, await request.body());
          found = await findConversation(ports, request);
          if (!found.isLive) throw new Refusal('session_expired');
          const participant = await writerOf(ports, request, found.sessionId);
          const message = { kind: 'listen', after: 0 } as const;
          const arrival = { tags: metadata ?? {} };
          return { participant, sessionId: found.sessionId, isNew: false, arrival, message };
        },
        async answer(turn) {
          const refused = await whileAttached(ports, turn, null, visitor(), async () => null);
          if (refused !== null) return problem(refused.code, request.requestId);
          return json(200, described({ ...found, tags: turn.arrival.tags ?? {} }));
        },
      });
    },
  };
}

/** A guest who may only read would come and change nothing. */
async function writerOf(ports: TurnPorts, request: HttpRequest, sessionId: string): Promise<Participant> {
  const participant = { ...participantIn(request), seesOwnOnly: true };
  const view = await reachableSession(ports, sessionQuery(request, sessionId));
  const access = view === null ? 'none' : accessOf(view.context, participant, ports.clock.now());
  if (access === 'read') throw new Refusal('forbidden');
  return participant;
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

const described = ({
  sessionId,
  createdAt,
  tags,
}: Pick<Conversation, 'sessionId' | 'createdAt' | 'tags'>) => ({
  id: conversationIdOf(sessionId),
  object: 'conversation',
  created_at: Math.floor(createdAt / 1_000),
  metadata: tags,
});
