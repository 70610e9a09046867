/** Defines a request as routes see it, and parses what the client sent. */
import type { z } from 'zod';
import type { Noted } from '../../audit/audit.ts';
import { type Participant, participantOf, tenantOf as tenantOfCaller } from '../../identity/acting-user.ts';
import type { Caller } from '../../identity/caller.ts';
import type { Reach } from '../../identity/permissions.ts';
import { MAX_DEPTH, nestsTooDeep } from '../../protocol/shallow-json.ts';
import { Refusal } from './answer.ts';

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly params: Readonly<Record<string, string>>;
  /** The last line of the header; empty if there is none. */
  readonly header: (name: string) => string;
  /** Every line of the header. */
  readonly lines: (name: string) => readonly string[];
  /** Rejects with a Refusal if the client sends more than any request needs. */
  readonly body: () => Promise<string>;
  readonly requestId: string;
  /** The client's IP address. */
  readonly address: string;
  /** Address of the socket's other end: the last proxy, or the client itself. */
  readonly peer: string;
  readonly caller: Caller;
  /** How far the caller may reach with this route. */
  readonly reach: Exclude<Reach, 'none'>;
  /** The user for whom the caller acts; a service names it in the header `rehydra-user`. Null: none. */
  readonly userId: string | null;
  /** No caller acts for a disabled user of its tenant. */
  readonly isDisabled: (userId: string) => boolean;
  /** Adds to the audit line of this request what only the route knows. */
  readonly about?: (noted: Noted) => void;
  /** Runs `task` if the client disconnects before its answer, and immediately if it has already gone. */
  readonly onGone: (task: () => void) => void;
  /** Reports an unexpected error; the client only learns that there was one. */
  readonly failed: (error: unknown, requestId: string) => void;
}

/** The tenant to which the request is limited. */
export function tenantOf({ caller }: HttpRequest): string {
  return tenantOfCaller(caller);
}

const DETAIL_MAX = 1_000;

/** What the transport knows of a request before a route and a caller are found. */
export type IncomingRequest = Omit<
  HttpRequest,
  'params' | 'requestId' | 'about' | 'caller' | 'reach' | 'userId' | 'isDisabled'
>;

/** The participant for whom a request acts; `claimed` is the user id in its body or query. */
export function participantIn({ caller, userId, isDisabled }: HttpRequest, claimed?: string): Participant {
  const participant = participantOf(caller, claimed ?? userId);
  if (participant === null) throw new Refusal('forbidden', 'user_id: the credential is of another user');
  if (participant.userId !== null && isDisabled(participant.userId))
    throw new Refusal('forbidden', 'user_id: the user is disabled');
  return participant;
}

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

/** Reads a JSON body that may be absent: then every field is. */
export async function parseOptionalBody<T>(
  schema: z.ZodType<T>,
  { body, header }: Pick<HttpRequest, 'body' | 'header'>,
): Promise<T> {
  const text = await body();
  if (text === '') return parse(schema, {});
  // A page of another origin may send bytes without a type, and no browser asks the service before.
  if (header('content-type') === '') throw new Refusal('unsupported_media_type');
  return parseBody(schema, text);
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
