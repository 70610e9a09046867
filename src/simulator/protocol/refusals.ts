/** Every way a request is refused before an answer begins, in vLLM's words: status and exact body. */

import { type ContextErrorWording, isContextErrorWording } from '../settings.ts';
import { foreignContextError, isForeignContextError } from './context-errors.ts';
import type { FaultPlan } from './faults.ts';

export interface Refusal {
  readonly kind: 'refusal';
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Absent: JSON. A proxy's page is HTML. */
  readonly contentType?: string;
}

function refuse(status: number, type: string, message: string, param: string | null = null): Refusal {
  return { kind: 'refusal', status, body: errorBody(status, type, message, param) };
}

function errorBody(code: number, type: string, message: string, param: string | null): unknown {
  return { error: { message, type, param, code } };
}

/** The data of an error event in the middle of a stream. */
export const MID_STREAM_ERROR = errorBody(500, 'InternalServerError', 'Internal server error', null);

/** The guard's body is a bare string, not an object: clients that read `error.message` stumble here. */
export function unauthorized(): Refusal {
  return { kind: 'refusal', status: 401, body: { error: 'Unauthorized' } };
}

export function notFound(): Refusal {
  return refuse(404, 'Not Found', 'Not Found');
}

export function unknownModel(model: string): Refusal {
  return refuse(404, 'NotFoundError', `The model \`${model}\` does not exist.`, 'model');
}

export function badRequest(message: string, param: string | null = null): Refusal {
  return refuse(400, 'BadRequestError', message, param);
}

/** A body that the schema refuses; pydantic writes Python's literals. */
export function invalidField(field: string, problem: string, type = 'value_error'): Refusal {
  const detail = `{'type': '${type}', 'loc': ('body', '${field}'), 'msg': '${problem}'}`;
  return refuse(400, 'Bad Request', `1 validation error:\n  ${detail}`, `body.${field}`);
}

export function invalidJson(): Refusal {
  const detail = "{'type': 'json_invalid', 'loc': ('body', 0), 'msg': 'JSON decode error', 'input': {}}";
  return refuse(400, 'Bad Request', `1 validation error:\n  ${detail}`, 'body.0');
}

export function wrongContentType(): Refusal {
  return refuse(400, 'Bad Request', "Unsupported Media Type: Only 'application/json' is allowed");
}

export function admissionRefused(): Refusal {
  return refuse(503, 'Service Unavailable', 'The server is overloaded: too many queued requests.');
}

export interface ContextOverrun {
  readonly maxModelLen: number;
  readonly promptTokens: number;
  /** 0 where the request did not say. */
  readonly outputTokens: number;
}

export function contextTooLong(wording: ContextErrorWording, overrun: ContextOverrun): Refusal {
  if (isForeignContextError(wording)) return foreignContextError(wording, overrun);
  const { maxModelLen, promptTokens, outputTokens } = overrun;
  // The tokeniser stops early, so newer servers know only a lower bound of the prompt.
  const atLeast = Math.min(promptTokens, maxModelLen - outputTokens + 1);
  const suffix = `(parameter=input_tokens, value=${atLeast})`;
  switch (wording) {
    case 'old':
      return badRequest(
        `This model's maximum context length is ${maxModelLen} tokens. However, you requested ` +
          `${promptTokens + outputTokens} tokens (${promptTokens} in the messages, ${outputTokens} in the ` +
          'completion). Please reduce the length of the messages or completion.',
      );
    case 'mid':
      return badRequest(
        `You passed ${atLeast} input tokens and requested ${outputTokens} output tokens. However, the model's ` +
          `context length is only ${maxModelLen} tokens, resulting in a maximum input length of ` +
          `${maxModelLen - outputTokens} tokens. Please reduce the length of the input prompt. ${suffix}`,
        'input_tokens',
      );
    case 'new':
      return badRequest(
        `This model's maximum context length is ${maxModelLen} tokens. However, you requested ${outputTokens} ` +
          `output tokens and your prompt contains at least ${atLeast} input tokens, for a total of at least ` +
          `${atLeast + outputTokens} tokens. Please reduce the length of the input prompt or the number of ` +
          `requested output tokens. ${suffix}`,
        'input_tokens',
      );
  }
}

export function maxTokensTooLarge(maxTokens: number, maxModelLen: number): Refusal {
  return badRequest(
    `max_tokens=${maxTokens} cannot be greater than max_model_len=max_total_tokens=${maxModelLen}. ` +
      `Please request fewer output tokens. (parameter=max_tokens, value=${maxTokens})`,
    'max_tokens',
  );
}

/** As vLLM wrote errors before August 2025, and as SGLang writes them: without an `error` around them. */
export function flattened(refusal: Refusal): Refusal {
  const { error } = refusal.body as { readonly error?: unknown };
  return typeof error === 'object' ? { ...refusal, body: { object: 'error', ...error } } : refusal;
}

/** The refusal that a fault asks for, or null. */
export function plannedRefusal(plan: FaultPlan, model: string, overrun: ContextOverrun): Refusal | null {
  const refusal = chosenRefusal(plan, model, overrun);
  return refusal !== null && plan.has('flat') ? flattened(refusal) : refusal;
}

function chosenRefusal(plan: FaultPlan, model: string, overrun: ContextOverrun): Refusal | null {
  if (plan.has('400')) return invalidField('messages', 'Field required', 'missing');
  const wording = plan.get('400-context');
  if (wording !== undefined) return contextTooLong(isContextErrorWording(wording) ? wording : 'new', overrun);
  if (plan.has('401')) return unauthorized();
  if (plan.has('404')) return unknownModel(model);
  if (plan.has('429')) return later(refuse(429, 'Too Many Requests', 'Rate limit reached'), plan);
  if (plan.has('500')) return refuse(500, 'InternalServerError', 'EngineCore encountered an issue.');
  if (plan.has('502')) {
    const page = '<html><body><h1>502 Bad Gateway</h1></body></html>';
    return { kind: 'refusal', status: 502, body: page, contentType: 'text/html' };
  }
  return plan.has('503') ? later(admissionRefused(), plan) : null;
}

/** With the wait that the fault `retry-after` asks for. */
function later(refusal: Refusal, plan: FaultPlan): Refusal {
  const wait = plan.get('retry-after');
  if (wait === undefined) return refusal;
  const told = wait === 'date' ? new Date(Date.now() + 2_000).toUTCString() : wait;
  return { ...refusal, headers: { 'retry-after': told } };
}

/** transformers, where the chat template changes the partial message. */
export function continuationRefused(): Refusal {
  return badRequest(
    'continue_final_message is set but the final message does not appear in the chat after applying the chat ' +
      'template! This can happen if the chat template deletes portions of the final message. Please verify the chat ' +
      'template and final message in your chat to ensure they are compatible.',
  );
}

/** As the Rust front end writes an error: its code is a name, and what is null is left out. */
export function withNamedCode({ body, ...refusal }: Refusal): Refusal {
  const { error } = body as { readonly error?: Readonly<Record<string, unknown>> };
  if (typeof error !== 'object') return { ...refusal, body };
  const { message, param } = error;
  const code = refusal.status === 404 ? 'model_not_found' : 'invalid_request';
  const named = { message, type: 'invalid_request_error', code, ...(param === null ? {} : { param }) };
  return { ...refusal, body: { error: named } };
}
