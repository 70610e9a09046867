/**
 * Serves `POST /api/protocol`: one turn as a request and its answer, in the same sessions as the WebSocket.
 *
 * A turn goes on when its client disconnects; the same `Idempotency-Key` finds it again, on any instance.
 */
import { z } from 'zod';
import { actorOf } from '../../audit/audit.ts';
import { mayStillAct } from '../../identity/acting-user.ts';
import { CHECK_CREDENTIALS_MS } from '../../identity/authenticator.ts';
import type { Caller } from '../../identity/caller.ts';
import { senderKey } from '../../limits/limits.ts';
import { type HttpAnswer, problem, Refusal } from '../core/answer.ts';
import { limitGuesses } from '../core/limits.ts';
import type { HttpPorts } from '../core/ports.ts';
import type { Route } from '../core/router.ts';
import { streamTurn } from './event-stream.ts';
import { joinTurn, type TurnRequest } from './join-turn.ts';
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
      errors: [
        'bad_request',
        'too_large',
        'forbidden',
        'identity_ended',
        'session_busy',
        'queue_full',
        'turn_cancelled',
        'duplicate_message',
        'idempotency_mismatch',
        'too_many_sessions',
        'too_many_turns',
        'token_budget_spent',
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
        'audit_unavailable',
        'overloaded',
        'draining',
      ],
    },
    async answer(request) {
      const { requestId } = request;
      const unavailable = ports.unavailable();
      if (unavailable !== null) throw new Refusal(unavailable);
      const { caller, address } = request;
      const channel = { kind: 'http', route: 'POST /api/protocol', requestId } as const;
      const parsed = await parseProtocolRequest(request).catch((error: unknown) => {
        if (error instanceof Refusal && error.code === 'forbidden') {
          const { userId } = request;
          const nothing = { sessionId: null, clientId: null, ...actorOf(caller, userId), userId };
          ports.audit?.note({ action: 'refused', outcome: error.code, ...nothing, address, channel });
        }
        throw error;
      });
      const { turn, wantsStream, lastSeen } = parsed;
      const { body, participant, sessionId, message } = turn;
      const { userId } = participant;
      const clientId = body.client_id ?? null;
      const access = { ...actorOf(caller, userId), sessionId, userId, clientId, address, channel };
      const note: TurnRequest['note'] = (action, outcome) =>
        ports.audit?.note({ action, outcome, ...access });
      const limit = message.kind === 'send' ? ports.limits.messages : null;
      const waitMs = limit === null ? 0 : await limit.take(senderKey(participant, sessionId));
      if (waitMs > 0) {
        note('message', 'rate_limited');
        return problem('rate_limited', requestId, undefined, waitMs);
      }
      const action = message.kind === 'send' ? 'message' : 'resumed';
      if (ports.audit?.begin({ action, ...access }) === false) {
        note(action, 'audit_unavailable');
        return problem('audit_unavailable', requestId);
      }
      const takePart = async (onUnknown: () => void): Promise<HttpAnswer> => {
        const failed = (error: unknown) => request.failed(error, requestId);
        const joining: TurnRequest = {
          ...turn,
          onGone: request.onGone,
          // The one answer of a request that does not stream is due to the client that asked.
          whenIdentityEnds: (task) =>
            wantsStream
              ? watchIdentity(ports, request.caller, userId, () => {
                  note('identity_ended', 'identity_ended');
                  task();
                })
              : () => {},
          failed,
          note,
          onUnknown,
        };
        if (wantsStream) return streamTurn(ports, requestId, joining, lastSeen);
        const result = await joinTurn(ports, joining, () => ({ onFrame: () => true, onTaken: () => {} }));
        return answerFor(ports, requestId, sessionId, result);
      };
      if (body.session_id === undefined) return takePart(() => {});
      const { guesses } = ports.limits;
      const reply = await limitGuesses(ports.limits, request, () =>
        takePart(() => guesses?.spend(request.address)),
      );
      if (reply.code === 'rate_limited') note('resumed', 'rate_limited');
      return reply;
    },
  };
}

/** Looks as often as sockets are looked at: a stream must not outlive the credential that opened it. */
function watchIdentity(
  { authenticator, clock }: HttpPorts,
  caller: Caller,
  userId: string | null,
  onEnd: () => void,
): () => void {
  if (authenticator.isOff) return () => {};
  let cancel = () => {};
  const look = () => {
    cancel = clock.after(CHECK_CREDENTIALS_MS, () => {
      if (mayStillAct(authenticator, caller, userId, clock.now())) look();
      else onEnd();
    });
  };
  look();
  return () => cancel();
}
