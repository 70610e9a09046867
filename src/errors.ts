/**
 * Every error a client can meet, one row each. A code is never renamed and never reused.
 * `close` is the WebSocket close code when the error ends the connection, `status` the HTTP status,
 * `retryable` whether the same request can succeed later, `text` what the client may be told:
 * it never carries an upstream's words, a key, a prompt or a stack.
 */
interface ErrorRow {
  readonly close: number | null;
  readonly status: number;
  readonly retryable: boolean;
  readonly text: string;
}

export const errors = {
  // what the client sent
  bad_frame: {
    close: null,
    status: 400,
    retryable: false,
    text: 'The frame is not one this protocol knows.',
  },
  too_many_bad_frames: { close: 1008, status: 400, retryable: false, text: 'Too many bad frames in a row.' },
  frame_too_large: { close: 1009, status: 413, retryable: false, text: 'The frame is larger than 64 KiB.' },
  bad_request: { close: null, status: 400, retryable: false, text: 'The request is not valid.' },
  too_large: { close: null, status: 413, retryable: false, text: 'The request body is too large.' },
  forbidden: { close: 4003, status: 403, retryable: false, text: 'This is not yours to see or do.' },
  not_found: { close: null, status: 404, retryable: false, text: 'There is nothing here.' },
  method_not_allowed: {
    close: null,
    status: 405,
    retryable: false,
    text: 'This method is not allowed here.',
  },
  hello_required: { close: null, status: 400, retryable: false, text: 'The first frame must be hello.' },
  hello_repeated: {
    close: null,
    status: 400,
    retryable: false,
    text: 'This connection has said hello already.',
  },
  hello_timeout: { close: 4008, status: 408, retryable: true, text: 'No hello came within its deadline.' },
  // the session
  duplicate_message: {
    close: null,
    status: 409,
    retryable: false,
    text: 'This message id was taken already; its frames are in the log.',
  },
  idempotency_mismatch: {
    close: null,
    status: 422,
    retryable: false,
    text: 'This Idempotency-Key was used with another request in this session.',
  },
  session_busy: {
    close: null,
    status: 429,
    retryable: true,
    text: 'A turn is running and the policy is reject.',
  },
  queue_full: { close: null, status: 429, retryable: true, text: 'The queue of this session is full.' },
  too_many_sessions: {
    close: null,
    status: 429,
    retryable: false,
    text: 'This user has as many sessions as one may have; end one, or resume one.',
  },
  too_many_shares: {
    close: null,
    status: 409,
    retryable: false,
    text: 'This session is shared with as many as it can be.',
  },
  unknown_turn: { close: null, status: 404, retryable: false, text: 'That turn is not running.' },
  turn_cancelled: { close: null, status: 409, retryable: true, text: 'The turn was cancelled.' },
  session_expired: { close: 4011, status: 410, retryable: false, text: 'The session has ended.' },
  session_not_found: { close: null, status: 404, retryable: false, text: 'There is no such session.' },
  replaced: {
    close: 4009,
    status: 409,
    retryable: false,
    text: 'A newer connection of this client took over.',
  },
  slow_consumer: {
    close: 4010,
    status: 503,
    retryable: true,
    text: 'The connection read too slowly; resume to catch up.',
  },
  version_unsupported: {
    close: 1012,
    status: 503,
    retryable: true,
    text: 'This session was written by a newer version; connect again to reach one.',
  },
  // this instance and its store
  store_unavailable: {
    close: null,
    status: 503,
    retryable: true,
    text: 'The session store cannot be reached.',
  },
  archive_unavailable: {
    close: null,
    status: 503,
    retryable: true,
    text: 'The archive of ended conversations cannot be reached.',
  },
  session_moved: {
    close: 1012,
    status: 503,
    retryable: true,
    text: 'Another instance serves this session now.',
  },
  rate_limited: {
    close: 1013,
    status: 429,
    retryable: true,
    text: 'Too much of this in a short time; wait, then go on.',
  },
  overloaded: { close: 1013, status: 503, retryable: true, text: 'This instance is at its limit.' },
  draining: { close: 1012, status: 503, retryable: true, text: 'This instance is going away.' },
  internal: { close: null, status: 500, retryable: true, text: 'Something went wrong here.' },
  // the generation
  first_token_timeout: {
    close: null,
    status: 504,
    retryable: true,
    text: 'The model did not begin in time.',
  },
  inter_token_timeout: { close: null, status: 504, retryable: true, text: 'The model stalled.' },
  total_timeout: { close: null, status: 504, retryable: true, text: 'The model did not finish in time.' },
  upstream_truncated: {
    close: null,
    status: 502,
    retryable: true,
    text: 'The model stopped without an end.',
  },
  upstream_aborted: {
    close: null,
    status: 502,
    retryable: true,
    text: 'The model server gave the request up.',
  },
  upstream_error: { close: null, status: 502, retryable: true, text: 'The model server failed.' },
  upstream_unavailable: {
    close: null,
    status: 503,
    retryable: true,
    text: 'No model server can be reached.',
  },
  upstream_rejected: {
    close: null,
    status: 502,
    retryable: false,
    text: 'The model server refused the request.',
  },
  upstream_empty: {
    close: null,
    status: 502,
    retryable: true,
    text: 'The model ended its answer without a word.',
  },
  upstream_incompatible: {
    close: null,
    status: 502,
    retryable: false,
    text: 'The address of the model server does not answer like one.',
  },
  content_filtered: {
    close: null,
    status: 422,
    retryable: false,
    text: 'The model server withheld the answer as unsafe.',
  },
  upstream_unauthorized: {
    close: null,
    status: 502,
    retryable: false,
    text: 'The model server refused our credentials.',
  },
  model_not_found: {
    close: null,
    status: 502,
    retryable: false,
    text: 'The model server has no such model.',
  },
  context_length_exceeded: {
    close: null,
    status: 413,
    retryable: false,
    text: 'The conversation is longer than the model can read.',
  },
  interrupted: {
    close: null,
    status: 503,
    retryable: true,
    text: 'The turn was interrupted too often and was given up.',
  },
} as const satisfies Record<string, ErrorRow>;

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

/** The code of an error of ours, of Node or of a driver; empty where it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
