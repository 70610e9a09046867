import { describe, expect, it } from 'vitest';
import { type ErrorCode, errorBody, errors, isErrorCode } from '../../../src/errors.ts';

/** Close code, HTTP status, retryable. Each row is a promise to clients: none is changed or removed. */
const PROMISED: Readonly<Record<ErrorCode, readonly [number | null, number, boolean]>> = {
  bad_frame: [null, 400, false],
  too_many_bad_frames: [1008, 400, false],
  frame_too_large: [1009, 413, false],
  bad_request: [null, 400, false],
  unsupported_parameter: [null, 400, false],
  too_large: [null, 413, false],
  unauthenticated: [4001, 401, false],
  identity_ended: [4002, 401, false],
  forbidden: [4003, 403, false],
  not_found: [null, 404, false],
  method_not_allowed: [null, 405, false],
  unsupported_media_type: [null, 415, false],
  upgrade_required: [null, 426, false],
  host_refused: [null, 421, false],
  origin_refused: [null, 403, false],
  hello_required: [null, 400, false],
  hello_repeated: [null, 400, false],
  hello_timeout: [4008, 408, true],
  duplicate_message: [null, 409, false],
  idempotency_mismatch: [null, 422, false],
  session_busy: [null, 429, true],
  queue_full: [null, 429, true],
  too_many_sessions: [null, 429, false],
  too_many_turns: [null, 429, true],
  token_budget_spent: [null, 429, true],
  too_many_shares: [null, 409, false],
  unknown_turn: [null, 404, false],
  turn_cancelled: [null, 409, true],
  session_expired: [4011, 410, false],
  session_not_found: [null, 404, false],
  replaced: [4009, 409, false],
  slow_consumer: [4010, 503, true],
  version_unsupported: [1012, 503, true],
  store_unavailable: [null, 503, true],
  audit_unavailable: [null, 503, true],
  archive_unavailable: [null, 503, true],
  session_moved: [1012, 503, true],
  rate_limited: [1013, 429, true],
  overloaded: [1013, 503, true],
  draining: [1012, 503, true],
  internal: [null, 500, true],
  first_token_timeout: [null, 504, true],
  inter_token_timeout: [null, 504, true],
  total_timeout: [null, 504, true],
  upstream_truncated: [null, 502, true],
  upstream_aborted: [null, 502, true],
  upstream_error: [null, 502, true],
  upstream_unavailable: [null, 503, true],
  upstream_rejected: [null, 502, false],
  upstream_empty: [null, 502, true],
  upstream_incompatible: [null, 502, false],
  content_filtered: [null, 422, false],
  upstream_unauthorized: [null, 502, false],
  model_not_found: [null, 502, false],
  context_length_exceeded: [null, 413, false],
  interrupted: [null, 503, true],
  stream_lost: [null, 503, true],
};

const codes = Object.keys(errors) as ErrorCode[];

describe('the table of errors', () => {
  it('the error table holds exactly the promised codes with their meanings', () => {
    const table = codes.map((code) => [
      code,
      [errors[code].close, errors[code].status, errors[code].retryable],
    ]);
    expect(Object.fromEntries(table)).toEqual(PROMISED);
    expect(codes).toHaveLength(57);
  });

  it('every error code is written in lower case words', () => {
    expect(codes.filter((code) => !/^[a-z]+(_[a-z]+)*$/.test(code))).toEqual([]);
  });

  it.each(codes)('the text of %s is one sentence without a product name, an address or a secret', (code) => {
    const { text } = errors[code];
    expect(text).toMatch(/^[A-Z][^\n]{5,100}\.$/);
    expect(text).not.toMatch(
      /vllm|openai|redis|sqlite|xstate|uwebsockets|ECONN|https?:|\bat \w+\.|error:|\$\{|undefined/i,
    );
  });

  it('errors close connections only with close codes of the protocol', () => {
    const closes = codes.map((code) => errors[code].close).filter((close) => close !== null);
    for (const close of closes)
      expect([1008, 1009, 1012, 1013, 4001, 4002, 4003, 4008, 4009, 4010, 4011]).toContain(close);
  });

  it('a client gets the code, the text and whether to retry, and nothing else', () => {
    for (const code of codes)
      expect(errorBody(code)).toEqual({
        code,
        message: errors[code].text,
        retryable: errors[code].retryable,
      });
  });

  it('no other word counts as an error code, not even a property of every object', () => {
    for (const word of ['', 'toString', '__proto__', 'constructor', 'BAD_FRAME', 5, null, undefined, {}])
      expect(isErrorCode(word)).toBe(false);
    for (const code of codes) expect(isErrorCode(code)).toBe(true);
  });
});
