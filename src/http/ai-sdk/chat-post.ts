/** Serves `POST /api/chat`: a question of the AI SDK, answered as a UI message stream. */
import { z } from 'zod';
import { messageEvent } from '../../protocol/to-event.ts';
import { turnOfItem, turnOfMessage } from '../chats/chat-ids.ts';
import { findPlace } from '../chats/chat-place.ts';
import type { HttpAnswer } from '../core/answer.ts';
import type { HttpRequest } from '../core/request.ts';
import type { Route } from '../core/router.ts';
import { turnQuery } from '../turns/find-turn.ts';
import { followingRequest, sendingRequest, streamOwnTurn } from '../turns/follow-turn.ts';
import { readTurn } from '../turns/read-turns.ts';
import { SENDING_ERRORS, takePart } from '../turns/take-part.ts';
import { policyHeader, policyIn, type TurnPorts, type TurnRequest } from '../turns/turn-request.ts';
import { findAgain } from './chat-again.ts';
import { chatRequestSchema, parseChatRequest } from './chat-request.ts';
import { breakable, UiEncoder } from './ui-encoder.ts';

const headersSchema = z.object(policyHeader);

const ROUTE = { method: 'POST', path: '/api/chat' } as const;

export function chatPostRoute(ports: TurnPorts): Route {
  return {
    ...ROUTE,
    describe: {
      name: 'sendChatMessage',
      summary: 'A question of the AI SDK, answered as a UI message stream',
      details:
        'For `DefaultChatTransport` and `WorkflowChatTransport` of the AI SDK 5, 6 and 7. The answer names its run in `x-workflow-run-id`. A request that repeats the last message gets the same answer. The turn goes on if the client disconnects.',
      headers: headersSchema,
      body: chatRequestSchema,
      answers: {
        200: {
          description: 'The chunks of the UI message stream. It ends with `[DONE]`.',
          content: { 'text/event-stream': z.string() },
        },
      },
      errors: [...SENDING_ERRORS, 'unknown_turn', 'archive_unavailable'],
      example: {
        body: {
          id: '1f0d6f2e-6d5c-4f7e-9a53-3f3f4b1f2a10',
          messages: [{ id: 'q-1', role: 'user', parts: [{ type: 'text', text: 'My knee hurts.' }] }],
        },
        answers: {},
      },
    },
    answer(request) {
      let turnMessageId = '';
      return takePart(ports, request, {
        route: `${ROUTE.method} ${ROUTE.path}`,
        isStream: true,
        async parse() {
          const question = parseChatRequest(await request.body());
          const place = await findPlace(ports, request, question.chatId);
          const { sessionId, participant, isNew } = place;
          const { messageId, content, options } = question;
          if (question.again !== undefined) {
            const again = await findAgain(ports, request, place, question);
            turnMessageId = again.message.id;
            return again;
          }
          turnMessageId = messageId;
          const policy = policyIn(request, ports);
          const turnId = turnOfMessage(sessionId, messageId);
          return {
            participant,
            sessionId,
            isNew,
            arrival: {},
            message: {
              kind: 'send',
              id: messageId,
              repeatable: true,
              event: (sender) =>
                messageEvent({ id: messageId, content, policy, options }, sender, undefined, turnId),
            },
          };
        },
        answer: (turn) => answerTurn(ports, request, turn, turnMessageId),
      });
    },
  };
}

async function answerTurn(
  ports: TurnPorts,
  request: HttpRequest,
  turn: TurnRequest,
  messageId: string,
): Promise<HttpAnswer> {
  const { sessionId, participant } = turn;
  const known = turnOfItem(messageId);
  // A page that was loaded again has the ids of its history: its last question may have an answer already.
  if (known !== null && (await readTurn(ports, request, sessionId, known, participant)) !== null) {
    const encoder = new UiEncoder(sessionId, known);
    const query = turnQuery(request, sessionId, known, participant);
    const answer = await streamOwnTurn(ports, followingRequest(ports, request, query), encoder);
    return breakable(answer, encoder);
  }
  const turnId = turnOfMessage(sessionId, messageId);
  const encoder = new UiEncoder(sessionId, turnId);
  const answer = await streamOwnTurn(ports, sendingRequest(turn, request, turnId), encoder);
  return breakable(answer, encoder);
}
