/**
 * From what the client library throws to a failure that a session can act on.
 *
 * The message is always one of ours: an upstream's sentence may quote the prompt, which is a patient's.
 * Retryable means "the same request can succeed elsewhere or later"; a refusal of its content is not.
 */
import { APIConnectionError, APIError } from 'openai';
import { isContextLengthError } from './context-length.ts';
import type { GenerationFailureCode } from './port.ts';

export interface Failure {
  readonly code: GenerationFailureCode;
  readonly message: string;
  readonly retryable: boolean;
}

const FAILURES: Readonly<Record<GenerationFailureCode, Omit<Failure, 'code'>>> = {
  first_token_timeout: { retryable: true, message: 'The model did not begin to answer in time.' },
  inter_token_timeout: { retryable: true, message: 'The model fell silent in the middle of its answer.' },
  total_timeout: { retryable: true, message: 'The model did not finish in time.' },
  upstream_truncated: {
    retryable: true,
    message: 'The connection to the model ended before its answer did.',
  },
  upstream_aborted: { retryable: true, message: 'The model server gave this answer up.' },
  upstream_error: { retryable: true, message: 'The model server failed.' },
  upstream_unavailable: { retryable: true, message: 'The model server cannot take requests now.' },
  upstream_rejected: { retryable: false, message: 'The model server did not accept the request.' },
  context_length_exceeded: {
    retryable: false,
    message: 'The conversation is longer than the model can read.',
  },
  model_not_found: { retryable: false, message: 'The model server does not have this model.' },
  upstream_unauthorized: { retryable: false, message: 'The model server does not accept our credentials.' },
};

export function failure(code: GenerationFailureCode): Failure {
  return { code, ...FAILURES[code] };
}

/** An end that was announced, but for a reason we know nothing about; asking again would likely end the same. */
export function unknownFinish(): Failure {
  return { code: 'upstream_error', message: 'The model ended for an unknown reason.', retryable: false };
}

export type Phase = 'before-stream' | 'in-stream';

export function classify(error: unknown, phase: Phase): Failure {
  if (error instanceof APIConnectionError) return failure('upstream_unavailable');
  if (error instanceof APIError) return classifyAnswer(error);
  // undici: TypeError "terminated" with cause UND_ERR_SOCKET when the peer resets the connection.
  if (error instanceof TypeError && phase === 'in-stream') return failure('upstream_truncated');
  // A data line that is no JSON, a body that cannot be read.
  return failure('upstream_error');
}

function classifyAnswer(error: InstanceType<typeof APIError>): Failure {
  // In the middle of a stream there is no status any more; vLLM repeats it as a number in `code`.
  const code: unknown = error.code;
  const status = error.status ?? (typeof code === 'number' ? code : null);
  const refusal = { status, message: error.message, param: error.param ?? null };
  if (isContextLengthError(refusal)) return failure('context_length_exceeded');
  if (status === null) return failure('upstream_error');
  if (status === 401 || status === 403) return failure('upstream_unauthorized');
  if (status === 404) return failure(isAboutModel(error) ? 'model_not_found' : 'upstream_rejected');
  if (status === 408 || status === 409 || status === 425 || status === 429)
    return failure('upstream_unavailable');
  if (status === 502 || status === 503 || status === 504) return failure('upstream_unavailable');
  if (status === 501) return failure('upstream_rejected');
  if (status >= 500) return failure('upstream_error');
  return failure('upstream_rejected');
}

function isAboutModel(error: InstanceType<typeof APIError>): boolean {
  return error.param === 'model' || /\bmodel\b.*\bdoes not exist\b/i.test(error.message);
}
