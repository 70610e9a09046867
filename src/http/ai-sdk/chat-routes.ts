/** Serves chats to the AI SDK: sending, resuming a stream, stopping an answer, and the history. */
import { z } from 'zod';
import { answerIdOf } from '../chats/chat-ids.ts';
import { placeIn, turnUnderWay } from '../chats/chat-place.ts';
import { STOPPED, stopChat } from '../chats/stop-chat.ts';
import { type HttpAnswer, JSON_HEADERS, problem } from '../core/answer.ts';
import { jsonPieces } from '../core/json-pieces.ts';
import { parseQuery } from '../core/request.ts';
import { jsonAnswer, type Route } from '../core/router.ts';
import { turnQuery } from '../turns/find-turn.ts';
import { followingRequest, streamOwnTurn } from '../turns/follow-turn.ts';
import { readTurn, readTurns, type TurnSnapshot } from '../turns/read-turns.ts';
import type { TurnPorts } from '../turns/turn-request.ts';
import { chatPostRoute } from './chat-post.ts';
import { breakable, TAIL_HEADER, UiEncoder } from './ui-encoder.ts';
import { uiMessageSchema, uiMessages } from './ui-message.ts';
import { takeFrames, uiStreamOf } from './ui-stream.ts';

const paramsSchema = z.object({ id: z.string().describe('id of the chat, or a run of `x-workflow-run-id`') });

const streamQuerySchema = z.object({
  startIndex: z
    .string()
    .regex(/^-?\d{1,9}$/, 'is not an index')
    .optional()
    .describe(
      'First chunk of the answer; a negative index counts from the end. Absent: the whole answer, with the text so far in one chunk.',
    ),
});

const UNAVAILABLE = ['store_unavailable', 'archive_unavailable', 'overloaded', 'draining'] as const;

export const chatRoutes = (ports: TurnPorts): readonly Route[] => [
  chatPostRoute(ports),
  streamRoute(ports),
  stopRoute(ports),
  historyRoute(ports),
];

function streamRoute(ports: TurnPorts): Route {
  return {
    method: 'GET',
    path: '/api/chat/:id/stream',
    audit: 'resumed',
    describe: {
      name: 'resumeChatStream',
      summary: 'The running answer of a chat as a UI message stream, from its beginning or from a chunk on',
      params: paramsSchema,
      query: streamQuerySchema,
      answers: {
        200: {
          description: 'The chunks of the UI message stream. It ends with `[DONE]`.',
          content: { 'text/event-stream': z.string() },
        },
        204: { description: 'The chat has no running answer, or the caller has no such chat.', content: {} },
      },
      errors: ['bad_request', 'forbidden', 'session_not_found', ...UNAVAILABLE],
    },
    async answer(request) {
      const { startIndex } = parseQuery(streamQuerySchema, request.query);
      const place = await placeIn(ports, request);
      const turnId = await turnUnderWay(ports, request, place);
      const { sessionId, participant } = place;
      const turn = turnId === null ? null : await readTurn(ports, request, sessionId, turnId, participant);
      const isGone = turn === null || (place.turnId === null && turn.state === 'ended');
      if (turnId === null || isGone)
        return place.turnId === null ? NOTHING : problem('session_not_found', request.requestId);
      const { encoder, headers } = encoderFrom(startIndex, sessionId, turnId, turn);
      const query = turnQuery(request, sessionId, turnId, participant);
      const answer = await streamOwnTurn(ports, followingRequest(ports, request, query), encoder);
      return breakable({ ...answer, headers: { ...answer.headers, ...headers } }, encoder);
    },
  };
}

const NOTHING: HttpAnswer = { status: 204, headers: { 'cache-control': 'no-store' }, body: '' };

function encoderFrom(
  startIndex: string | undefined,
  sessionId: string,
  turnId: string,
  { frames }: TurnSnapshot,
): { readonly encoder: UiEncoder; readonly headers: Readonly<Record<string, string>> } {
  if (startIndex === undefined) return { encoder: UiEncoder.merged(sessionId, turnId, frames), headers: {} };
  const index = Number(startIndex);
  if (index >= 0) return { encoder: new UiEncoder(sessionId, turnId, index), headers: {} };
  const count = takeFrames(uiStreamOf(answerIdOf(turnId)), frames).chunks.length;
  return {
    encoder: new UiEncoder(sessionId, turnId, Math.max(0, count + index)),
    headers: { [TAIL_HEADER]: String(count - 1) },
  };
}

function stopRoute(ports: TurnPorts): Route {
  return {
    method: 'POST',
    path: '/api/chat/:id/stop',
    audit: 'cancelled',
    describe: {
      name: 'stopChat',
      summary: 'Stops the running answer of a chat, on whichever instance it runs',
      details: 'A second request changes nothing. Closing a stream does not stop its answer.',
      params: paramsSchema,
      answers: STOPPED,
      errors: ['forbidden', ...UNAVAILABLE],
    },
    answer: (request) => stopChat(ports, request),
  };
}

function historyRoute(ports: TurnPorts): Route {
  return {
    method: 'GET',
    path: '/api/chat/:id',
    audit: 'read',
    describe: {
      name: 'readChat',
      summary: 'The messages of a chat as `UIMessage`s, without the running answer',
      params: paramsSchema,
      answers: {
        200: jsonAnswer('The messages; an unknown chat has none.', z.array(uiMessageSchema)),
      },
      errors: ['forbidden', ...UNAVAILABLE],
    },
    async answer(request) {
      const { sessionId, participant } = await placeIn(ports, request);
      const conversation = await readTurns(ports, request, sessionId, participant);
      const messages = conversation === null ? [] : uiMessages(conversation);
      return ports.longReads.answer(request, JSON_HEADERS, jsonPieces(messages));
    },
  };
}
