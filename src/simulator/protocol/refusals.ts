/** Every refusal before an answer begins, with vLLM's status and exact body. */
import type { FaultPlan } from '../engine/faults.ts';

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

/** The body is a bare string, not an object: clients that read `error.message` stumble here. */
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

/** The schema refuses the body; pydantic writes Python's literals. */
export function invalidField(field: string, problem: string, type: string): Refusal {
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

/** Words the refusal as transformers does if the chat template changes the partial message. */
export function continuationRefused(): Refusal {
  return badRequest(
    'continue_final_message is set but the final message does not appear in the chat after applying the chat ' +
      'template! This can happen if the chat template deletes portions of the final message. Please verify the chat ' +
      'template and final message in your chat to ensure they are compatible.',
  );
}

/** The refusal that a fault asks for, or null; job.ts plans `400-context`, which needs the prompt. */
export function plannedRefusal(plan: FaultPlan, model: string): Refusal | null {
  if (plan.has('400')) return invalidField('messages', 'Field required', 'missing');
  if (plan.has('401')) return unauthorized();
  if (plan.has('404')) return unknownModel(model);
  if (plan.has('429')) return retryLater(refuse(429, 'Too Many Requests', 'Rate limit reached'), plan);
  if (plan.has('500')) return refuse(500, 'InternalServerError', 'EngineCore encountered an issue.');
  if (plan.has('502')) {
    const page = '<html><body><h1>502 Bad Gateway</h1></body></html>';
    return { kind: 'refusal', status: 502, body: page, contentType: 'text/html' };
  }
  return plan.has('503') ? retryLater(admissionRefused(), plan) : null;
}

/** Adds the wait that the fault `retry-after` asks for. */
function retryLater(refusal: Refusal, plan: FaultPlan): Refusal {
  const wait = plan.get('retry-after');
  if (wait === undefined) return refusal;
  const value = wait === 'date' ? new Date(Date.now() + 2_000).toUTCString() : wait;
  return { ...refusal, headers: { 'retry-after': value } };
}

/** Removes the `error` around an error, as vLLM before August 2025 and SGLang write it. */
export function flattened(refusal: Refusal): Refusal {
  const { error } = refusal.body as { readonly error?: unknown };
  return typeof error === 'object' ? { ...refusal, body: { object: 'error', ...error } } : refusal;
}

/** Writes an error as vLLM's Rust front end does: its code is a name, and it has no nulls. */
export function withNamedCode({ body, ...refusal }: Refusal): Refusal {
  const { error } = body as { readonly error?: Readonly<Record<string, unknown>> };
  if (typeof error !== 'object') return { ...refusal, body };
  const { message, param } = error;
  const code = refusal.status === 404 ? 'model_not_found' : 'invalid_request';
  const named = { message, type: 'invalid_request_error', code, ...(param === null ? {} : { param }) };
  return { ...refusal, body: { error: named } };
}
