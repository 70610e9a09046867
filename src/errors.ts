/**
 * Errors lists every error that a client can meet, one row each: HTTP status, text, and the WebSocket close code of an
 * error that ends the connection. A code is never renamed and never reused. A text never carries an upstream's words, a
 * key, a prompt or a stack.
 */
interface ErrorRow {
  readonly close: number | null;
  readonly status: number;
  readonly retryable: boolean;
  readonly text: string;
}

/** The same request fails again. */
const final = (status: number, text: string): ErrorRow => ({ close: null, status, retryable: false, text });

/** The same request can succeed later. */
const retryable = (status: number, text: string): ErrorRow => ({
  close: null,
  status,
  retryable: true,
  text,
});

/** The error ends the connection with this code. */
const closing = <Close extends number>(close: Close, row: ErrorRow) => ({ ...row, close });

export const errors = {
  // The request.
  bad_frame: final(400, 'This protocol has no such frame.'),
  too_many_bad_frames: closing(
    1008,
    final(400, 'Too many bad frames in a row, or too many frames before hello.'),
  ),
  frame_too_large: closing(1009, final(413, 'The frame is larger than 64 KiB, or than 16 KiB before hello.')),
  bad_request: final(400, 'The request is not valid.'),
  unsupported_parameter: final(400, 'This service does not support the parameter, or not this value of it.'),
  too_large: final(413, 'The request body is too large.'),
  unauthenticated: closing(4001, final(401, 'A valid credential is required.')),
  identity_ended: closing(4002, final(401, 'The credential has ended; connect again with a new one.')),
  forbidden: closing(4003, final(403, 'You have no access to this.')),
  not_found: final(404, 'There is no such resource.'),
  method_not_allowed: final(405, 'This method is not allowed here.'),
  unsupported_media_type: final(415, 'The body must be application/json.'),
  upgrade_required: final(426, 'This address speaks WebSocket version 13.'),
  host_refused: final(421, 'This service does not answer for this host.'),
  origin_refused: final(403, 'Pages of this origin may not use this service.'),
  hello_required: final(400, 'The first frame must be hello.'),
  hello_repeated: final(400, 'This connection has already sent hello.'),
  hello_timeout: closing(4008, retryable(408, 'The client sent no hello in time.')),
  // The session.
  duplicate_message: final(409, 'The session already has a message with this id; its frames are in the log.'),
  idempotency_mismatch: final(422, 'This Idempotency-Key was used with another request in this session.'),
  session_busy: retryable(429, 'A turn is running.'),
  queue_full: retryable(429, 'The queue of this session is full.'),
  too_many_sessions: final(429, 'This user has reached the limit of sessions; end or resume one.'),
  too_many_turns: retryable(429, 'Too many answers are running for this user; wait until one has ended.'),
  token_budget_spent: retryable(
    429,
    'The tokens of this day are used up; the next day begins at midnight UTC.',
  ),
  too_many_shares: final(409, 'This session has reached the limit of shares.'),
  unknown_turn: final(404, 'The session has no such turn, or it is not running.'),
  turn_cancelled: retryable(409, 'The turn was cancelled.'),
  session_expired: closing(4011, final(410, 'The session has ended.')),
  session_not_found: final(404, 'There is no such session.'),
  replaced: closing(4009, final(409, 'A newer connection of this client took over.')),
  slow_consumer: closing(4010, retryable(503, 'The client read too slowly; resume to catch up.')),
  version_unsupported: closing(
    1012,
    retryable(503, 'A newer version wrote this session; connect again to reach one.'),
  ),
  // This instance and its stores.
  store_unavailable: retryable(503, 'The session store cannot be reached.'),
  audit_unavailable: retryable(503, 'The audit log cannot be written, so nothing is served.'),
  archive_unavailable: retryable(503, 'The archive of ended conversations cannot be reached.'),
  session_moved: closing(1012, retryable(503, 'Another instance serves this session now.')),
  rate_limited: closing(1013, retryable(429, 'Too many requests in a short time; wait, then try again.')),
  overloaded: closing(1013, retryable(503, 'This instance is at its limit.')),
  draining: closing(1012, retryable(503, 'This instance is shutting down.')),
  internal: retryable(500, 'This instance met an internal error.'),
  // The generation.
  first_token_timeout: retryable(504, 'The model did not start its answer in time.'),
  inter_token_timeout: retryable(504, 'The model stalled.'),
  total_timeout: retryable(504, 'The model did not finish in time.'),
  upstream_truncated: retryable(502, 'The answer broke off before its end.'),
  upstream_aborted: retryable(502, 'The model server aborted the request.'),
  upstream_error: retryable(502, 'The model server failed.'),
  upstream_unavailable: retryable(503, 'No model server can be reached.'),
  upstream_rejected: final(502, 'The model server refused the request.'),
  upstream_empty: retryable(502, 'The model gave an empty answer.'),
  upstream_incompatible: final(502, 'The address does not answer like a model server.'),
  content_filtered: final(422, 'The model server withheld the answer as unsafe.'),
  upstream_unauthorized: final(502, 'The model server refused our credentials.'),
  model_not_found: final(502, 'The model server has no such model.'),
  context_length_exceeded: final(413, 'The conversation is longer than the model can read.'),
  interrupted: retryable(503, 'The turn was interrupted too often.'),
  stream_lost: retryable(503, 'The stream of this answer cannot go on; load the conversation again.'),
} satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errors;

/** What travels in `turn.failed.error` and in HTTP error bodies. */
export interface ErrorBody {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
}

export function errorBody(code: ErrorCode): ErrorBody {
  const row = errors[code];
  return { code, message: row.text, retryable: row.retryable };
}

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(errors, value);
}

/** An error of this process with a code that callers compare, such as `STORE_UNAVAILABLE`; clients never see it. */
export class CodedError<Code extends string = string> extends Error {
  readonly code: Code;

  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The code of an error of Rehydra, of Node or of a driver; empty if it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
