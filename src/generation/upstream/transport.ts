/**
 * Transport sends a request for an answer to one replica, and passes on the bytes of the answer as they arrive. Two
 * exist: undici-transport.ts, which serves by default, and openai-transport.ts (docs/adr/0018).
 *
 * TRANSPORT-1  The listener gets `onEnd` at most once, and nothing after it or after `abort`.
 * TRANSPORT-2  If the connection ends before the first byte of a response, the request goes out once more: a server may
 *              close an idle connection (vLLM after five seconds) just as a request goes out on it.
 * TRANSPORT-3  A redirect is a refusal: a patient's words go to the configured server or nowhere.
 * TRANSPORT-4  A refusal carries the whole body, within REFUSAL_MAX_BYTES and REFUSAL_MAX_MS: a server may keep it open.
 * TRANSPORT-5  After `finish` the last bytes get LAST_BYTES_MS: a connection serves the next request only if the body
 *              has ended, and most bodies end right after [DONE].
 * TRANSPORT-6  No transport limits the silence of a server: the watchdog decides how long a model may think.
 */
import { randomUUID } from 'node:crypto';
import type { Failure } from './failure.ts';

export type TransportName = 'undici' | 'openai';

export interface TransportRequest {
  /** Begins with a slash, and continues the base URL. */
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly requestId: string;
  readonly sessionId: string;
}

export interface TransportListener {
  /** A piece of the body of a successful answer, decoded if the server compressed it. */
  onBytes(piece: Uint8Array): void;
  /** null: the body has ended. */
  onEnd(failure: Failure | null): void;
}

export interface TransportCall {
  /** The listener needs no more bytes; `onEnd` follows soon (TRANSPORT-5). */
  finish(): void;
  /** Closes the request immediately, and its connection if an answer is still under way. */
  abort(): void;
}

export interface Transport {
  post(request: TransportRequest, listener: TransportListener): TransportCall;
}

export interface TransportOptions {
  readonly baseUrl: string;
  readonly apiKey: string | null;
}

export const REFUSAL_MAX_BYTES = 64 * 1024;
export const REFUSAL_MAX_MS = 1_000;
export const LAST_BYTES_MS = 100;

const CLOSED_CONNECTION: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

/** The connection ended, if no byte of a response has arrived (TRANSPORT-2). */
export function isClosedConnection(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== undefined && CLOSED_CONNECTION.has(code)) return true;
  }
  return false;
}

/** Engines and gateways treat two requests of one id as one request. */
export function idHeaders({ requestId, sessionId }: TransportRequest): Readonly<Record<string, string>> {
  return { 'X-Request-Id': `${requestId}-${randomUUID().slice(0, 8)}`, 'X-Session-ID': sessionId };
}
