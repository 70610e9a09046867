/**
 * HTTP on the same port, free of any server library: a request is a value, an answer is a value or a stream.
 * Routes are tried in order; the first that matches method and path answers.
 */
import { randomUUID } from 'node:crypto';
import type { AuditAction, Noted } from '../../audit/audit.ts';
import { type ErrorCode, errorBody, errors } from '../../errors.ts';
import type { Description } from './description.ts';

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly params: Readonly<Record<string, string>>;
  readonly header: (name: string) => string;
  readonly body: string;
  readonly requestId: string;
  /** Of the client. */
  readonly address: string;
  /** Tells the audit log, where there is one, what only the route knows. */
  readonly about?: (noted: Noted) => void;
  /** Runs once the client is gone before it was answered; at once where it is gone already. */
  readonly onGone: (task: () => void) => void;
  /** Told of what a route threw; the client is told nothing of it. */
  readonly failed: (error: unknown, requestId: string) => void;
}

/** Where a streamed answer is written to. */
export interface StreamSink {
  /** False where the client reads too slowly or is gone: nothing more may be written. */
  write(chunk: string): boolean;
  end(): void;
}

export interface HttpAnswer {
  readonly status: number;
  /** Of a refusal. */
  readonly code?: ErrorCode;
  readonly headers: Readonly<Record<string, string>>;
  /** Text, or what writes the answer piece by piece once the head is out. */
  readonly body: string | ((sink: StreamSink) => void);
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** `:name` matches one segment. */
  readonly path: string;
  /** Absent: served, but in no document. */
  readonly describe?: Description;
  /** What a request does to a session, for the audit log; absent: nothing, or the route tells it itself. */
  readonly audit?: AuditAction;
  readonly answer: (request: HttpRequest) => HttpAnswer | Promise<HttpAnswer>;
}

export function json(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): HttpAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', ...headers },
    body: JSON.stringify(body),
  };
}

export function problem(
  code: ErrorCode,
  requestId: string,
  detail?: string,
  retryAfterMs = 1_000,
): HttpAnswer {
  const { status, retryable } = errors[code];
  const helps = retryable && (status === 429 || status === 503);
  const headers = helps ? { 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) } : {};
  const error = { ...errorBody(code), ...(detail === undefined ? {} : { detail }), request_id: requestId };
  return { ...json(status, { error }, headers), code };
}

export async function answer(
  routes: readonly Route[],
  request: Omit<HttpRequest, 'params' | 'requestId'>,
): Promise<HttpAnswer> {
  const requestId = randomUUID();
  // The answer to HEAD is that to GET; the transport leaves its body out.
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const allowed: string[] = [];
  for (const route of routes) {
    const params = match(route.path, request.path);
    if (params === null) continue;
    allowed.push(...(route.method === 'GET' ? ['GET', 'HEAD'] : [route.method]));
    if (route.method !== method) continue;
    try {
      return await route.answer({ ...request, params, requestId });
    } catch (error) {
      request.failed(error, requestId);
      return problem('internal', requestId);
    }
  }
  if (allowed.length === 0) return problem('not_found', requestId);
  const refusal = problem('method_not_allowed', requestId);
  return { ...refusal, headers: { ...refusal.headers, allow: allowed.join(', ') } };
}

function match(pattern: string, path: string): Readonly<Record<string, string>> | null {
  const wanted = pattern.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return null;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? '';
    if (part.startsWith(':')) params[part.slice(1)] = value;
    else if (part !== value) return null;
  }
  return params;
}
