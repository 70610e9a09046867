/**
 * `POST /api/protocol`: one turn of a session as a request and its answer, over the same sessions as the WebSocket.
 *
 * A client that goes away leaves the turn running; the same `Idempotency-Key` finds it again, on any instance.
 */
import { z } from 'zod';
import { readPatient } from '../../conversation/patient/patient.ts';
import { summaryOf } from '../../conversation/patient/patient-text.ts';
import { isErrorCode } from '../../errors.ts';
import { speakerOf } from '../../limits/limits.ts';
import { watched } from '../core/limits.ts';
import { type HttpAnswer, json, problem, type Route } from '../core/router.ts';
import { streamTurn } from './event-stream.ts';
import { joinTurn, type ProtocolPorts, type TurnRequest } from './join-turn.ts';
import { protocolAnswerSchema } from './protocol-answer.ts';
import { parseProtocolRequest, protocolHeadersSchema, protocolRequestSchema } from './protocol-request.ts';
import type { TurnResult } from './turn-collector.ts';

export function protocolRoute(ports: ProtocolPorts): Route {
  return {
    method: 'POST',
    path: '/api/protocol',
    describe: {
      name: 'askForProtocol',
      summary: 'One turn of a session: patient data in, a protocol out',
      details:
        'The session is the one of the WebSocket. It gathers the patient over its turns, so later ones send only what is new. An id that is unknown or expired starts afresh under the same id.',
      headers: protocolHeadersSchema,
      body: protocolRequestSchema,
      answers: {
        200: {
          says: 'The turn was completed. With `Accept: text/event-stream` the durable frames of the session from the turn on, `id` being the offset; the stream ends with the turn, or with an `error` that says why, and in `retry` when to come back.',
          content: { 'application/json': protocolAnswerSchema, 'text/event-stream': z.string() },
        },
      },
      errors: [
        'bad_request',
        'too_large',
        'forbidden',
        'session_busy',
        'queue_full',
        'turn_cancelled',
        'duplicate_message',
        'idempotency_mismatch',
        'too_many_sessions',
        'session_not_found',
        'session_expired',
        'session_moved',
        'context_length_exceeded',
        'upstream_error',
        'upstream_unavailable',
        'upstream_rejected',
        'upstream_empty',
        'upstream_incompatible',
        'content_filtered',
        'upstream_unauthorized',
        'upstream_truncated',
        'upstream_aborted',
        'model_not_found',
        'first_token_timeout',
        'inter_token_timeout',
        'total_timeout',
        'interrupted',
        'slow_consumer',
        'store_unavailable',
        'overloaded',
        'draining',
      ],
    },
    async answer(request) {
      const { requestId } = request;
      const unavailable = ports.unavailable();
      if (unavailable !== null) return problem(unavailable, requestId);
      const parsed = parseProtocolRequest(request);
      if (parsed.kind === 'invalid') return problem('bad_request', requestId, parsed.detail);
      const { body, sessionId, message } = parsed.visit;
      const note: TurnRequest['note'] = (action, outcome) =>
        ports.audit?.note({
          action,
          outcome,
          sessionId,
          userId: body.user_id ?? null,
          clientId: body.client_id ?? null,
          address: request.address,
          door: { kind: 'http', route: 'POST /api/protocol', requestId },
        });
      const limit = message.kind === 'send' ? ports.limits.messages : null;
      const waitMs = limit === null ? 0 : await limit.take(speakerOf(body.user_id, sessionId));
      if (waitMs > 0) {
        note('message', 'rate_limited');
        return problem('rate_limited', requestId, undefined, waitMs);
      }
      const takePart = async (onUnknown: () => void): Promise<HttpAnswer> => {
        const visit: TurnRequest = {
          ...parsed.visit,
          onGone: request.onGone,
          failed: (error) => request.failed(error, requestId),
          note,
          onUnknown,
        };
        if (parsed.wantsStream) return streamTurn(ports, requestId, visit, parsed.lastSeen);
        const result = await joinTurn(ports, visit, () => ({ onFrame: () => true, onTaken: () => {} }));
        return answerFor(ports, requestId, sessionId, result);
      };
      if (body.session_id === undefined) return takePart(() => {});
      const { guesses } = ports.limits;
      const reply = await watched(ports.limits, request, () =>
        takePart(() => guesses?.spend(request.address)),
      );
      if (reply.code === 'rate_limited') note('resumed', 'rate_limited');
      return reply;
    },
  };
}

async function answerFor(
  ports: ProtocolPorts,
  requestId: string,
  sessionId: string,
  result: TurnResult,
): Promise<HttpAnswer> {
  switch (result.kind) {
    case 'refused':
      return problem(result.code, requestId);
    case 'failed': {
      const { code } = result.frame.error;
      return problem(isErrorCode(code) ? code : 'internal', requestId);
    }
    case 'cancelled':
      return problem('turn_cancelled', requestId, `by ${result.frame.reason}`);
    case 'completed': {
      const { metadata, usage, finish_reason, turn_id, offset } = result.frame;
      const text = result.text ?? (await writtenAnswer(ports, sessionId, turn_id));
      const view = await ports.services.sessions.view(sessionId).catch(() => null);
      return json(200, {
        protocol: text,
        patient_summary: view === null ? null : summaryOf(readPatient(view.context.patient)),
        metadata: { ...metadata, usage, finish_reason, turn_id, offset },
        timestamp: new Date(metadata.completed_at ?? ports.services.clock.now()).toISOString(),
        session_id: sessionId,
      });
    }
  }
}

/** Where the log was trimmed while it was read. */
async function writtenAnswer(
  { services }: ProtocolPorts,
  sessionId: string,
  turnId: string,
): Promise<string> {
  const said = await services.store.readTranscript(sessionId);
  return said.find((entry) => entry.turnId === turnId && entry.role === 'assistant')?.content ?? '';
}
