/** Serves `POST /v1/responses`: one turn, as JSON, as a stream, or in the background. */
import { z } from 'zod';
import type { ErrorCode } from '../../errors.ts';
import { reachOf } from '../../identity/permissions.ts';
import { messageEvent } from '../../protocol/to-event.ts';
import { type HttpAnswer, json, problem, Refusal } from '../core/answer.ts';
import type { HttpRequest } from '../core/request.ts';
import type { Route } from '../core/router.ts';
import { awaitOwnTurn, sendingRequest, startOwnTurn, streamOwnTurn } from '../turns/follow-turn.ts';
import { readTurn } from '../turns/read-turns.ts';
import { takePart } from '../turns/take-part.ts';
import {
  policyHeader,
  policyIn,
  type SentMessage,
  type TurnPorts,
  type TurnRequest,
} from '../turns/turn-request.ts';
import { beginConversation, branchConversation } from './conversations/open-conversation.ts';
import { responseOf } from './find-response.ts';
import { openaiErrors } from './openai-error.ts';
import { ResponseEncoder } from './response-encoder.ts';
import { type ResponseFacts, responseSchema } from './response-object.ts';
import { placeOf, type ResponsePlace } from './response-place.ts';
import { parseResponseRequest, type ResponseRequest, responseRequestSchema } from './response-request.ts';

const headersSchema = z.object({
  'idempotency-key': z
    .string()
    .optional()
    .describe('Names the message: a request that is sent again, to any instance, gets the same response.'),
  ...policyHeader,
});

const ROUTE = { method: 'POST', path: '/v1/responses' } as const;

export function responsePostRoute(ports: TurnPorts): Route {
  return {
    ...ROUTE,
    describe: {
      name: 'createResponse',
      summary: 'One turn of a conversation, in the form of the OpenAI Responses API',
      details:
        'For the clients of OpenAI, text only. The turn goes on if the client disconnects. A turn that fails is a response with the status `failed`. A parameter without support is refused by its name, except where its value asks for nothing (`tools: []`, `top_p: 1`).',
      headers: headersSchema,
      body: responseRequestSchema,
      answers: {
        200: {
          description: 'The response. With `stream: true` its events, the last one `[DONE]`.',
          content: { 'application/json': responseSchema, 'text/event-stream': z.string() },
        },
      },
      errors: [
        'bad_request',
        'unsupported_parameter',
        'too_large',
        'not_found',
        'forbidden',
        'identity_ended',
        'idempotency_mismatch',
        'session_busy',
        'queue_full',
        'too_many_sessions',
        'too_many_turns',
        'token_budget_spent',
        'session_not_found',
        'unknown_turn',
        'session_expired',
        'session_moved',
        'slow_consumer',
        'store_unavailable',
        'audit_unavailable',
        'archive_unavailable',
        'overloaded',
        'draining',
      ],
      errorForm: openaiErrors,
      example: { body: { input: 'My knee hurts.', metadata: { topic: 'knee' } }, answers: {} },
    },
    answer(request) {
      let asked: Asked;
      return takePart(ports, request, {
        route: `${ROUTE.method} ${ROUTE.path}`,
        get isStream() {
          return asked.body.isStream;
        },
        async parse() {
          const text = await request.body();
          const body = parseResponseRequest(text);
          requireInstructions(request, body);
          const model = await servedModel(ports, body);
          const place = await placeOf(ports, request, body, text);
          asked = { body, place, model };
          const { participant, sessionId, isNew } = place;
          const message = messageOf(ports, request, asked);
          return { participant, sessionId, isNew, arrival: {}, message };
        },
        answer: (turn) => answerTurn(ports, request, asked, turn),
      });
    },
  };
}

interface Asked {
  readonly body: ResponseRequest;
  readonly place: ResponsePlace;
  readonly model: string;
}

/** The operator decides which credentials may change the instructions of the model. */
function requireInstructions({ caller }: HttpRequest, { instructions }: ResponseRequest): void {
  if (instructions !== null && reachOf(caller, 'instructions') === 'none')
    throw new Refusal('forbidden', 'instructions: this credential may not send any');
}

/** An answer of another model than the one that was asked would pass for its answer. */
async function servedModel(ports: TurnPorts, { model }: ResponseRequest): Promise<string> {
  const served = await ports.servedModel();
  if (served === null || model === null || model === served) return served ?? model ?? '';
  throw new Refusal('unsupported_parameter', `model: only ${served} is served here`);
}

function messageOf(ports: TurnPorts, request: HttpRequest, { body, place }: Asked): SentMessage {
  const { question: content, maxOutputTokens, temperature, instructions, metadata } = body;
  const { messageId: id, turnId, isRepeatable: repeatable } = place;
  const options = {
    ...(maxOutputTokens === null ? {} : { max_tokens: maxOutputTokens }),
    ...(temperature === null ? {} : { temperature }),
  };
  const extras = {
    ...(instructions === null ? {} : { instructions }),
    ...(Object.keys(metadata).length === 0 ? {} : { tags: metadata }),
  };
  const policy = policyIn(request, ports);
  return {
    kind: 'send',
    id,
    repeatable,
    event: (sender) => messageEvent({ id, content, policy, options, ...extras }, sender, undefined, turnId),
  };
}

async function answerTurn(
  ports: TurnPorts,
  request: HttpRequest,
  { body, place, model }: Asked,
  turn: TurnRequest,
): Promise<HttpAnswer> {
  const { sessionId, participant } = turn;
  const { turnId, previousResponseId, branch } = place;
  const refused =
    branch !== null
      ? await branchConversation(ports, turn, branch)
      : body.earlier.length > 0
        ? await beginConversation(ports, turn, { turns: body.earlier })
        : null;
  if (refused !== null) return refusal(refused, request);
  const facts: ResponseFacts = {
    ...body,
    sessionId,
    turnId,
    model,
    createdAt: ports.clock.now(),
    previousResponseId,
  };
  const own = sendingRequest(turn, request, turnId);
  if (body.isStream) {
    const answer = await streamOwnTurn(ports, own, new ResponseEncoder(facts));
    return answer.code === undefined ? answer : refusal(answer.code, request);
  }
  if (body.isBackground) {
    const result = await startOwnTurn(ports, own);
    if (result !== null) return refusal(result.code, request);
    const started = await readTurn(ports, request, sessionId, turnId, participant);
    return json(200, responseOf(facts, started?.frames ?? []));
  }
  const { result, frames } = await awaitOwnTurn(ports, own);
  if (result.kind === 'refused') return refusal(result.code, request);
  return json(200, responseOf(facts, frames));
}

/** Only a key names a message twice, and the first request with it was another one. */
const refusal = (code: ErrorCode, { requestId }: HttpRequest): HttpAnswer =>
  problem(code === 'duplicate_message' ? 'idempotency_mismatch' : code, requestId);
