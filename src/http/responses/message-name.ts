/**
 * Names the message and the turn of a request, so that a request that is sent again reaches the turn of the first one.
 *
 *  MSGNAME-1  With an Idempotency-Key the key names the message.
 *  MSGNAME-2  The clients of OpenAI send no key, but they count their retries. Within a conversation, the first half of a
 *             turn's id follows from the body and from the turn before it: a retry recognises the turn by that half.
 *  MSGNAME-3  The other half is random, so two equal requests that are no retries never share a turn. A retry without a
 *             conversation has nothing to look into: an equal message may come from another person behind the credential.
 */
import { createHash, randomUUID } from 'node:crypto';
import { derivedUuid } from '../../protocol/derived-uuid.ts';
import type { HttpRequest } from '../core/request.ts';

export interface MessageName {
  readonly messageId: string;
  readonly turnId: string;
}

/** A request of a conversation, beside which an equal one may stand elsewhere in it. */
export interface NamedRequest {
  readonly sessionId: string;
  /** The turn that the client knew as the latest; null: none. */
  readonly anchor: string | null;
  readonly body: string;
}

const DIGEST_CHARS = 16;
/** In characters of a UUID, hyphens included. */
const HALF = 18;
/** A retry comes soon. */
const TURNS_LOOKED_AT = 16;

/** The same key with another body is another request, which the session refuses. */
export function keyedName(sessionId: string, key: string, body: string): MessageName {
  const messageId = `key-${digest(key)}.${digest(key, body).slice(0, DIGEST_CHARS)}`;
  return { messageId, turnId: derivedUuid('turn', sessionId, messageId) };
}

export function freshName(request: NamedRequest): MessageName {
  const turnId = `${halfOf(request)}${randomUUID().slice(HALF)}`;
  return nameOf(turnId);
}

/** The client sends the request again because it got no answer. */
export function isRetry({ header }: Pick<HttpRequest, 'header'>): boolean {
  return Number(header('x-stainless-retry-count')) > 0;
}

/** The turn of the first attempt, among the turns of the conversation; null: it did not arrive. */
export function firstAttempt(
  { sessionId, anchor, body }: NamedRequest,
  turnIds: readonly string[],
): MessageName | null {
  const recent = [null, ...turnIds].slice(-TURNS_LOOKED_AT - 1);
  const halves = new Set([anchor, ...recent].map((one) => halfOf({ sessionId, anchor: one, body })));
  const found = turnIds.slice(-TURNS_LOOKED_AT).findLast((turnId) => halves.has(turnId.slice(0, HALF)));
  return found === undefined ? null : nameOf(found);
}

const nameOf = (turnId: string): MessageName => ({ messageId: `res-${turnId}`, turnId });

const halfOf = ({ sessionId, anchor, body }: NamedRequest): string =>
  derivedUuid('message', sessionId, anchor ?? '', body).slice(0, HALF);

const digest = (...texts: readonly string[]): string =>
  createHash('sha256').update(JSON.stringify(texts)).digest('base64url');
