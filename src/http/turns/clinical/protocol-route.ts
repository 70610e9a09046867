/**
 * Serves `POST /api/protocol`: one turn as a request and its answer, in the same sessions as the WebSocket.
 *
 * A turn goes on when its client disconnects; the same `Idempotency-Key` finds it again, on any instance.
 */
import { z } from 'zod';
import type { HttpPorts } from '../../core/ports.ts';
import type { Route } from '../../core/router.ts';
import { joinTurn } from '../join-turn.ts';
import { TURN_ERRORS, takePart } from '../take-part.ts';
import { streamTurn } from './event-stream.ts';
import { answerFor, protocolAnswerSchema } from './protocol-answer.ts';
import { parseProtocolRequest, protocolHeadersSchema, protocolRequestSchema } from './protocol-request.ts';

export function protocolRoute(ports: HttpPorts): Route {
  return {
    method: 'POST',
    path: '/api/protocol',
    describe: {
      name: 'askForProtocol',
      summary: 'One turn of a session: patient data in, a protocol out',
      details:
        'The WebSocket serves the same sessions. A session collects the data of its patient, so later turns send only what is new. An unknown or expired id starts a new session under that id.',
      headers: protocolHeadersSchema,
      body: protocolRequestSchema,
      answers: {
        200: {
          description:
            'The turn is completed. With `Accept: text/event-stream`: the durable frames of the session from the start of the turn, each with its offset as `id`. The stream ends with the turn, or with an `error` event; `retry` then says when to reconnect.',
          content: { 'application/json': protocolAnswerSchema, 'text/event-stream': z.string() },
        },
      },
      errors: [...TURN_ERRORS, 'idempotency_mismatch'],
      example: { body: { age: 61, chief_complaint: 'My knee hurts.' }, answers: {} },
    },
    answer(request) {
      const { requestId } = request;
      const isStream = request.header('accept').includes('text/event-stream');
      let lastSeen: number | null = null;
      return takePart(ports, request, {
        route: 'POST /api/protocol',
        isStream,
        async parse() {
          const parsed = await parseProtocolRequest(request, isStream);
          lastSeen = parsed.lastSeen;
          return parsed.turn;
        },
        async answer(turn) {
          if (isStream) return streamTurn(ports, requestId, turn, lastSeen);
          const result = await joinTurn(ports, turn, () => ({ onFrame: () => true, onTaken: () => {} }));
          return answerFor(ports, requestId, turn.sessionId, result);
        },
      });
    },
  };
}
