/** Serves AG-UI: runs, joining a run, stopping it, and the messages of a thread. */
import { z } from 'zod';
import { runIdOf, runIn, turnOfMessage } from '../chats/chat-ids.ts';
import { findPlace } from '../chats/chat-place.ts';
import { STOPPED, stopChat } from '../chats/stop-chat.ts';
import { type HttpAnswer, JSON_HEADERS, Refusal } from '../core/answer.ts';
import { limitGuesses } from '../core/limits.ts';
import { type HttpRequest, parseQuery } from '../core/request.ts';
import { jsonAnswer, type Route } from '../core/router.ts';
import { seenPieceIn } from '../turns/encoder.ts';
import { turnQuery } from '../turns/find-turn.ts';
import { followingRequest, streamOwnTurn } from '../turns/follow-turn.ts';
import { readTurns } from '../turns/read-turns.ts';
import type { TurnPorts } from '../turns/turn-request.ts';
import { AgUiEncoder, untilRunEnds } from './agui-encoder.ts';
import { earlierMessages, messagesOf, threadSchema } from './agui-message.ts';
import { agUiPostRoute, RUN_ANSWER } from './agui-post.ts';
import { runIdSchema, threadIdSchema } from './agui-request.ts';
import { stateOf } from './agui-state.ts';

const UNAVAILABLE = ['store_unavailable', 'archive_unavailable', 'overloaded', 'draining'] as const;

export const agUiRoutes = (ports: TurnPorts): readonly Route[] => [
  agUiPostRoute(ports),
  readRoute(ports),
  stopRoute(ports),
];

const querySchema = z.object({
  threadId: threadIdSchema
    .optional()
    .describe('The thread. Needed for its messages, and to join a run by the id that a client chose.'),
  runId: runIdSchema
    .optional()
    .describe('The run to join: that of `activeRun`, or the one of a request. Absent: the messages.'),
  offset: z
    .string()
    .regex(/^(-1|\d{1,15}(\.\d{1,6})?)$/, 'is not the id of an event')
    .optional()
    .describe('The last event that the client has; -1: none. The header `Last-Event-ID` overrides it.'),
});

const headersSchema = z.object({
  'last-event-id': z.string().optional().describe('The last event that the client has.'),
});

function readRoute(ports: TurnPorts): Route {
  return {
    method: 'GET',
    path: '/api/ag-ui',
    audit: 'read',
    describe: {
      name: 'readAgentThread',
      summary: 'The messages of a thread, or with `runId` the events of a run',
      details:
        'A run is joined from its beginning, or after an event, while it runs and after its end. Both are what the stock connection of TanStack AI requests.',
      query: querySchema,
      headers: headersSchema,
      answers: {
        200: {
          description: 'The messages and the active run; with `runId` the events of the run.',
          content: {
            ...jsonAnswer('', threadSchema).content,
            ...RUN_ANSWER[200].content,
          },
        },
      },
      errors: ['bad_request', 'forbidden', 'session_not_found', ...UNAVAILABLE],
    },
    answer(request) {
      const { threadId, runId, offset } = parseQuery(querySchema, request.query);
      if (runId !== undefined)
        return limitGuesses(ports.limits, request, () => join(ports, request, { threadId, runId, offset }));
      if (threadId === undefined) throw new Refusal('bad_request', 'threadId: is required without runId');
      return thread(ports, request, threadId);
    },
  };
}

interface Join {
  readonly threadId: string | undefined;
  readonly runId: string;
  readonly offset: string | undefined;
}

async function join(
  ports: TurnPorts,
  request: HttpRequest,
  { threadId, runId, offset = '' }: Join,
): Promise<HttpAnswer> {
  const id = runIn(runId) === null ? threadId : runId;
  if (id === undefined)
    throw new Refusal('bad_request', 'threadId: is required for a run that a client named');
  const place = await findPlace(ports, request, id);
  const { sessionId, participant } = place;
  request.about?.({ sessionId });
  const turnId = place.turnId ?? turnOfMessage(sessionId, runId);
  const named = place.turnId === null ? { messageId: runId } : {};
  const conversation = await readTurns(ports, request, sessionId, participant);
  const encoder = new AgUiEncoder({
    threadId: threadId ?? sessionId,
    runId,
    sessionId,
    turnId,
    earlier: earlierMessages(conversation, turnId, []),
    asked: null,
    state: {},
  });
  const query = { ...turnQuery(request, sessionId, turnId, participant), ...named };
  const seen = seenPieceIn(request.header('last-event-id') || offset);
  const answer = await streamOwnTurn(ports, followingRequest(ports, request, query), encoder, seen);
  return untilRunEnds(answer, encoder, () => stateOf(ports, sessionId));
}

async function thread(ports: TurnPorts, request: HttpRequest, threadId: string): Promise<HttpAnswer> {
  const { sessionId, participant } = await findPlace(ports, request, threadId);
  request.about?.({ sessionId });
  const conversation = await readTurns(ports, request, sessionId, participant);
  const active = conversation?.runningTurnId ?? conversation?.queuedTurnIds[0];
  const body: z.infer<typeof threadSchema> = {
    messages: conversation === null ? [] : [...messagesOf(conversation)],
    activeRun: active === undefined ? null : { runId: runIdOf(sessionId, active) },
    interrupts: null,
  };
  return ports.longReads.answer(request, JSON_HEADERS, [JSON.stringify(body)]);
}

function stopRoute(ports: TurnPorts): Route {
  return {
    method: 'POST',
    path: '/api/ag-ui/:id/stop',
    audit: 'cancelled',
    describe: {
      name: 'stopAgent',
      summary: 'Stops the running answer of a thread, on whichever instance it runs',
      details: 'A second request changes nothing. Closing a stream does not stop its run.',
      params: z.object({ id: z.string().describe('id of the thread, or the run of `activeRun`') }),
      answers: STOPPED,
      errors: ['forbidden', ...UNAVAILABLE],
    },
    answer: (request) => stopChat(ports, request),
  };
}
