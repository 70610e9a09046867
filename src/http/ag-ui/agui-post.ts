/** Serves `POST /api/ag-ui`: a run of AG-UI, and its repetition by a client that repairs its stream. */
import { z } from 'zod';
import { messageEvent } from '../../protocol/to-event.ts';
import { turnOfMessage } from '../chats/chat-ids.ts';
import { type ChatPlace, findPlace } from '../chats/chat-place.ts';
import type { HttpAnswer } from '../core/answer.ts';
import type { HttpRequest } from '../core/request.ts';
import type { Route } from '../core/router.ts';
import { type SeenPiece, seenPieceIn } from '../turns/encoder.ts';
import { turnQuery } from '../turns/find-turn.ts';
import { followingRequest, sendingRequest, streamOwnTurn } from '../turns/follow-turn.ts';
import { readTurns } from '../turns/read-turns.ts';
import { SENDING_ERRORS, takePart } from '../turns/take-part.ts';
import { policyHeader, policyIn, type TurnPorts, type TurnRequest } from '../turns/turn-request.ts';
import { AgUiEncoder, untilRunEnds } from './agui-encoder.ts';
import { earlierMessages } from './agui-message.ts';
import { parseRunInput, type RunInput, runInputSchema } from './agui-request.ts';
import { stateOf } from './agui-state.ts';

const headersSchema = z.object({
  ...policyHeader,
  'last-event-id': z
    .string()
    .optional()
    .describe('The last event that the client has: the run goes on after it. Sends no message.'),
});

const ROUTE = { method: 'POST', path: '/api/ag-ui' } as const;

export const RUN_ANSWER = {
  200: {
    description: 'The events of the run, each with an `id` to resume after.',
    content: { 'text/event-stream': z.string() },
  },
};

export function agUiPostRoute(ports: TurnPorts): Route {
  return {
    ...ROUTE,
    describe: {
      name: 'runAgent',
      summary: 'A run of AG-UI: a question in, events out',
      details:
        'For `@ag-ui/client` and TanStack AI. A request that repeats a `runId` gets the same run, on any instance. The run goes on if the client disconnects.',
      headers: headersSchema,
      body: runInputSchema,
      answers: RUN_ANSWER,
      errors: [...SENDING_ERRORS, 'archive_unavailable'],
      example: {
        body: {
          threadId: '8c1e3b7a-52f4-4d0b-8f6e-7a9b0c2d4e61',
          runId: 'run-1',
          messages: [{ id: 'q-1', role: 'user', content: 'My knee hurts.' }],
        },
        answers: {},
      },
    },
    answer(request) {
      let place: ChatPlace;
      let input: RunInput;
      const seen = seenPieceIn(request.header('last-event-id'));
      return takePart(ports, request, {
        route: `${ROUTE.method} ${ROUTE.path}`,
        isStream: true,
        async parse() {
          input = parseRunInput(await request.body());
          place = await findPlace(ports, request, input.threadId);
          const { sessionId, participant, isNew } = place;
          const { runId: id, content, options } = input;
          const policy = policyIn(request, ports);
          const turnId = turnOfMessage(sessionId, id);
          return {
            participant,
            sessionId,
            isNew,
            arrival: {},
            // A client that has a part of the run repairs its stream, however often its line drops: the limit of messages
            // does not count that. If the session has ended, the question must not run again in a new one.
            message:
              seen !== null
                ? { kind: 'listen', after: seen.offset }
                : {
                    kind: 'send',
                    id,
                    repeatable: true,
                    event: (sender) =>
                      messageEvent({ id, content, policy, options }, sender, undefined, turnId),
                  },
          };
        },
        answer: (turn) => answerRun(ports, request, turn, input, seen),
      });
    },
  };
}

async function answerRun(
  ports: TurnPorts,
  request: HttpRequest,
  turn: TurnRequest,
  { threadId, runId, messages, state }: RunInput,
  seen: SeenPiece | null,
): Promise<HttpAnswer> {
  const { sessionId, participant } = turn;
  const turnId = turnOfMessage(sessionId, runId);
  const conversation = await readTurns(ports, request, sessionId, participant);
  const earlier = earlierMessages(conversation, turnId, messages);
  const encoder = new AgUiEncoder({ threadId, runId, sessionId, turnId, earlier, asked: messages, state });
  const query = { ...turnQuery(request, sessionId, turnId, participant), messageId: runId };
  const own = seen === null ? sendingRequest(turn, request, turnId) : followingRequest(ports, request, query);
  const answer = await streamOwnTurn(ports, own, encoder, seen);
  if (seen !== null) turn.note('resumed', answer.code ?? 'ok');
  return untilRunEnds(answer, encoder, () => stateOf(ports, sessionId));
}
