/**
 * classify turns an error of the client library into a failure that a session can act on.
 *
 * The message always comes from this file: the server's words may quote the prompt, and with it a patient.
 * Retryable means "the same request can succeed elsewhere or later"; a refusal of its content cannot.
 */
import { APIConnectionError, APIError } from 'openai';
import type { GenerationFailureCode } from '../port.ts';
import { isContextLengthError } from './context-length.ts';
import type { BodyProblem } from './event-stream.ts';
import { refusalOfResponse, type UpstreamRefusal } from './refusal.ts';

export interface Failure {
  readonly code: GenerationFailureCode;
  readonly message: string;
  readonly retryable: boolean;
  /** The server's own words, for decisions inside this folder only: they may quote a patient. */
  readonly refusal?: UpstreamRefusal;
}

const FAILURES: Readonly<Record<GenerationFailureCode, Omit<Failure, 'code' | 'refusal'>>> = {
  first_token_timeout: { retryable: true, message: 'The model did not begin to answer in time.' },
  inter_token_timeout: { retryable: true, message: 'The model stopped in the middle of its answer.' },
  total_timeout: { retryable: true, message: 'The model did not finish in time.' },
  upstream_truncated: {
    retryable: true,
    message: 'The connection to the model ended before its answer did.',
  },
  upstream_aborted: { retryable: true, message: 'The model server aborted the answer.' },
  upstream_error: { retryable: true, message: 'The model server failed.' },
  upstream_unavailable: { retryable: true, message: 'The model server cannot take requests now.' },
  upstream_rejected: { retryable: false, message: 'The model server did not accept the request.' },
  upstream_empty: { retryable: true, message: 'The model ended its answer without any text.' },
  upstream_incompatible: {
    retryable: false,
    message: 'The configured address is not a model server.',
  },
  content_filtered: { retryable: false, message: 'The model server withheld the answer as unsafe.' },
  context_length_exceeded: {
    retryable: false,
    message: 'The conversation is longer than the model can read.',
  },
  model_not_found: { retryable: false, message: 'The model server does not have this model.' },
  upstream_unauthorized: { retryable: false, message: 'The model server does not accept the credentials.' },
};

/** Every code with which a generation can fail. */
export const FAILURE_CODES = Object.keys(FAILURES) as readonly GenerationFailureCode[];

export function failure(code: GenerationFailureCode): Failure {
  return { code, ...FAILURES[code] };
}

export type RequestPhase = 'before-stream' | 'in-stream';

const BODY_FAILURES: Readonly<Record<BodyProblem, GenerationFailureCode>> = {
  malformed: 'upstream_error',
  truncated: 'upstream_truncated',
  'not-an-answer': 'upstream_incompatible',
};

export function failureOfBody(problem: BodyProblem): Failure {
  return failure(BODY_FAILURES[problem]);
}

export function classify(error: unknown, phase: RequestPhase): Failure {
  if (error instanceof APIConnectionError) return failure('upstream_unavailable');
  if (error instanceof APIError && error.status !== undefined) return classifyRefusal(refusalOf(error));
  // undici: TypeError "terminated" with cause UND_ERR_SOCKET when the peer resets the connection.
  if (error instanceof TypeError && phase === 'in-stream') return failure('upstream_truncated');
  return failure('upstream_error');
}

export function classifyRefusal(refusal: UpstreamRefusal): Failure {
  return { ...failure(codeOf(refusal)), refusal };
}

/** openai-transport.ts puts the whole body in place of the `error` member, which is all that the client library keeps. */
function refusalOf(error: InstanceType<typeof APIError<number, Headers>>): UpstreamRefusal {
  const whole: unknown = error.error;
  const body = typeof whole === 'string' ? whole : error.message;
  return refusalOfResponse(error.status, body, error.headers);
}

function codeOf(refusal: UpstreamRefusal): GenerationFailureCode {
  const { status, names } = refusal;
  if (isContextLengthError(refusal)) return 'context_length_exceeded';
  if (names.includes('content_filter')) return 'content_filtered'; // Azure refuses a prompt this way
  if (status === null) return 'upstream_error';
  if (status === 401 || status === 403) return 'upstream_unauthorized';
  const refusesModel = (status === 400 || status === 404 || status === 422) && isAboutModel(refusal);
  if (refusesModel) return 'model_not_found';
  if (status === 408 || status === 409 || status === 425 || status === 429) return 'upstream_unavailable';
  if (status === 502 || status === 503 || status === 504) return 'upstream_unavailable';
  if (status === 501) return 'upstream_rejected';
  return status >= 500 ? 'upstream_error' : 'upstream_rejected';
}

/** Another refusal may quote the conversation: with 400 only the beginning of the text counts. */
function isAboutModel({ status, param, names, message }: UpstreamRefusal): boolean {
  if (names.includes('model_not_found')) return true;
  if (status === 404)
    return param === 'model' || /\bmodel\b.*\b(?:does not exist|not found)\b/i.test(message);
  const missing =
    /^(?:the )?(?:requested )?model\b[\s:]*[`'"]?[^\s`'"]*[`'"]?\s+(?:(?:does )?not exist|(?:was )?not found|is unknown)\b/i;
  return (
    missing.test(message) || /^(?:unknown model|invalid model name)\b|^server is pinned to\b/i.test(message)
  );
}

const BASE_REST_MS = 500;
const MAX_REST_MS = 10_000;
/** Random share of the wait, so that turns that were refused together do not return together. */
const SPREAD = 0.25;

/**
 * How long an overloaded replica gets no requests: the time that it asks for, else a time that grows with each attempt.
 * 0: the failure has nothing to do with load. `random` is between 0 and 1.
 */
export function restMsOf({ code, refusal }: Failure, attempt: number, random: () => number): number {
  if (code !== 'upstream_unavailable' || refusal === undefined) return 0;
  const { status, retryAfterMs } = refusal;
  if (retryAfterMs !== null) return retryAfterMs * (1 + SPREAD * random());
  if (status !== 429 && status !== 503) return 0;
  return Math.min(BASE_REST_MS * 2 ** (attempt - 1), MAX_REST_MS) * (1 + SPREAD * random());
}

/** True if the server works, but asks this client to return later. */
export function asksToWait({ code, refusal }: Failure): boolean {
  return code === 'upstream_unavailable' && (refusal?.status === 429 || (refusal?.retryAfterMs ?? 0) > 0);
}
