/** Answers a request of the general door that starts a turn, as JSON or as a stream of the turn's frames. */
import { z } from 'zod';
import { derivedUuid } from '../../protocol/derived-uuid.ts';
import { turnMetadataSchema, usageSchema } from '../../protocol/server-frames.ts';
import { type HttpAnswer, json, Refusal } from '../core/answer.ts';
import type { HttpRequest } from '../core/request.ts';
import { type Encoder, endEvent, eventText, seenPieceIn } from '../turns/encoder.ts';
import { awaitOwnTurn, sendingRequest, streamOwnTurn } from '../turns/follow-turn.ts';
import { problemOf, takePart } from '../turns/take-part.ts';
import type { TurnResult } from '../turns/turn-collector.ts';
import type { TurnInput, TurnPorts } from '../turns/turn-request.ts';

export const turnHeadersSchema = z.object({
  'last-event-id': z
    .string()
    .optional()
    .describe(
      'For a stream: the last offset that the client saw; the stream resumes after it. Needs the `id` of the request.',
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

export const turnAnswers = {
  200: {
    description:
      'The turn is completed. With `Accept: text/event-stream`: the frames of this turn, each with its offset as `id`. The stream ends with the turn, or with an `error` event.',
    content: { 'application/json': messageAnswerSchema, 'text/event-stream': z.string() },
  },
};

const frameEncoder = (retryAfterMs: () => number): Encoder => ({
  headers: {},
  keepAlive: ': \n\n',
  frame: (frame) => [eventText(frame.offset === 0 ? null : frame.offset, frame.type, JSON.stringify(frame))],
  end: (result) => (result.kind === 'refused' ? [endEvent(result.code, retryAfterMs)] : []),
});

export function answerWithTurn(
  ports: TurnPorts,
  request: HttpRequest,
  route: string,
  parse: () => Promise<TurnInput>,
): Promise<HttpAnswer> {
  const isStream = request.header('accept').includes('text/event-stream');
  const seen = isStream ? seenPieceIn(request.header('last-event-id')) : null;
  return takePart(ports, request, {
    route,
    isStream,
    parse,
    async answer(turn) {
      const { message, sessionId } = turn;
      if (message.kind !== 'send') throw new Refusal('bad_request');
      const own = sendingRequest(turn, request, derivedUuid('turn', sessionId, message.id));
      if (isStream) return streamOwnTurn(ports, own, frameEncoder(ports.retryAfterMs), seen);
      const { result } = await awaitOwnTurn(ports, own);
      return answerFor(request.requestId, sessionId, message.id, result);
    },
  });
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
