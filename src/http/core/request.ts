/** Defines a request as routes see it, and parses what the client sent. */
import type { z } from 'zod';
import type { Noted } from '../../audit/audit.ts';
import { MAX_DEPTH, nestsTooDeep } from '../../protocol/shallow-json.ts';
import { Refusal } from './answer.ts';

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly params: Readonly<Record<string, string>>;
  readonly header: (name: string) => string;
  readonly body: string;
  readonly requestId: string;
  /** The client's IP address. */
  readonly address: string;
  /** Adds to the audit line of this request what only the route knows. */
  readonly about?: (noted: Noted) => void;
  /** Runs `task` if the client disconnects before its answer, and immediately if it has already gone. */
  readonly onGone: (task: () => void) => void;
  /** Reports an unexpected error; the client only learns that there was one. */
  readonly failed: (error: unknown, requestId: string) => void;
}

/** The tenant whose sessions and users the request may reach. */
export function tenantOf(_request: HttpRequest): string {
  return '';
}

const DETAIL_MAX = 1_000;

/** Reads a JSON body; a body that does not match is refused with `bad_request`. */
export function parseBody<T>(schema: z.ZodType<T>, text: string): T {
  if (nestsTooDeep(text)) throw new Refusal('bad_request', `the body nests deeper than ${MAX_DEPTH}`);
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    throw new Refusal('bad_request', 'the body is not JSON');
  }
  return parse(schema, raw);
}

/** Reads the query string; the last value of a repeated parameter counts. */
export function parseQuery<T>(schema: z.ZodType<T>, query: URLSearchParams): T {
  return parse(schema, Object.fromEntries(query));
}

export function parse<T>(schema: z.ZodType<T>, raw: unknown): T {
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const detail = parsed.error.issues
    .map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`))
    .join('; ');
  throw new Refusal('bad_request', detail.slice(0, DETAIL_MAX));
}

/** The session id in the path, in lower case as stored; clients may send either case. */
export function sessionIdIn({ params }: Pick<HttpRequest, 'params'>): string {
  return params.id?.toLowerCase() ?? '';
}
