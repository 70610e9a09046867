/** takePart lets a request take part in a session: it limits rates and guesses, and writes the audit log, for every route. */
import { actorOf } from '../../audit/audit.ts';
import { type ErrorCode, isErrorCode } from '../../errors.ts';
import { senderKey } from '../../limits/limits.ts';
import { type HttpAnswer, problem, Refusal } from '../core/answer.ts';
import { limitGuesses } from '../core/limits.ts';
import type { HttpPorts } from '../core/ports.ts';
import type { HttpRequest } from '../core/request.ts';
import type { TurnResult } from './turn-collector.ts';
import type { TurnInput, TurnRequest } from './turn-request.ts';
import { watchIdentity } from './turn-watch.ts';

/** Errors of every route that sends a message and streams its turn: the stream itself says how the turn ends. */
export const SENDING_ERRORS = [
  'bad_request',
  'too_large',
  'forbidden',
  'session_busy',
  'queue_full',
  'duplicate_message',
  'too_many_sessions',
  'too_many_turns',
  'token_budget_spent',
  'session_not_found',
  'session_expired',
  'session_moved',
  'slow_consumer',
  'store_unavailable',
  'audit_unavailable',
  'overloaded',
  'draining',
] as const satisfies readonly ErrorCode[];

/** Errors of every route that sends a message and answers with the end of its turn. */
export const TURN_ERRORS = [
  ...SENDING_ERRORS,
  'identity_ended',
  'turn_cancelled',
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
] as const satisfies readonly ErrorCode[];

export interface Part {
  /** Method and pattern of the route. */
  readonly route: string;
  /** A stream ends with the client's credential. The one answer of another request is due to the client that asked. */
  readonly isStream: boolean;
  /** Throws a Refusal if the request is not valid. */
  readonly parse: () => TurnInput | Promise<TurnInput>;
  readonly answer: (turn: TurnRequest) => Promise<HttpAnswer>;
}

export async function takePart(ports: HttpPorts, request: HttpRequest, part: Part): Promise<HttpAnswer> {
  const unavailable = ports.unavailable();
  if (unavailable !== null) throw new Refusal(unavailable);
  const { caller, address, requestId } = request;
  const channel = { kind: 'http', route: part.route, requestId } as const;
  const turn = await Promise.resolve()
    .then(part.parse)
    .catch((error: unknown) => {
      if (error instanceof Refusal && error.code === 'forbidden') {
        const { userId } = request;
        const nothing = { sessionId: null, clientId: null, ...actorOf(caller, userId), userId };
        ports.audit?.note({ action: 'refused', outcome: error.code, ...nothing, address, channel });
      }
      throw error;
    });
  const { participant, sessionId, message, arrival } = turn;
  const { userId } = participant;
  const clientId = arrival.client_id ?? null;
  const access = { ...actorOf(caller, userId), sessionId, userId, clientId, address, channel };
  const note: TurnRequest['note'] = (action, outcome) => ports.audit?.note({ action, outcome, ...access });
  const limit = message.kind === 'send' ? ports.limits.messages : null;
  const waitMs = limit === null ? 0 : await limit.take(senderKey(participant, sessionId));
  if (waitMs > 0) {
    note('message', 'rate_limited');
    return problem('rate_limited', requestId, undefined, waitMs);
  }
  const action = message.kind === 'send' ? 'message' : turn.isNew ? 'created' : 'resumed';
  if (ports.audit?.begin({ action, ...access }) === false) {
    note(action, 'audit_unavailable');
    return problem('audit_unavailable', requestId);
  }
  const join = (onUnknown: () => void): Promise<HttpAnswer> =>
    part.answer({
      ...turn,
      onGone: request.onGone,
      whenIdentityEnds: (task) =>
        part.isStream
          ? watchIdentity(ports, caller, userId, () => {
              note('identity_ended', 'identity_ended');
              task();
            })
          : () => {},
      failed: (error) => request.failed(error, requestId),
      note,
      onUnknown,
    });
  if (turn.isNew) return join(() => {});
  const { guesses } = ports.limits;
  const reply = await limitGuesses(ports.limits, request, () => join(() => guesses?.spend(request.address)));
  if (reply.code === 'rate_limited') note('resumed', 'rate_limited');
  return reply;
}

/** The answer to a request whose turn has no whole answer. */
export function problemOf(
  requestId: string,
  result: Exclude<TurnResult, { readonly kind: 'completed' }>,
): HttpAnswer {
  switch (result.kind) {
    case 'refused':
      return problem(result.code, requestId);
    case 'failed': {
      const { code } = result.frame.error;
      return problem(isErrorCode(code) ? code : 'internal', requestId);
    }
    case 'cancelled':
      return problem('turn_cancelled', requestId, `by ${result.frame.reason}`);
  }
}
