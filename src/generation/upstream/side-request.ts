/** Sends a model server a short request beside its answers, such as GET /models or POST /tokenize. */
import { timeoutSignal } from '../../clock.ts';

export interface SideRequest {
  readonly apiKey?: string | null;
  readonly timeoutMs: number;
  /** Present: a POST of this JSON. */
  readonly body?: string;
}

export interface SideResponse {
  readonly status: number;
  readonly text: string;
}

/** Rejects if the server is unreachable or too slow. */
export async function sideRequest(url: string, request: SideRequest): Promise<SideResponse> {
  const { apiKey = null, timeoutMs, body } = request;
  const response = await fetch(url, {
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(apiKey === null ? {} : { authorization: `Bearer ${apiKey}` }),
    },
    ...(body === undefined ? {} : { method: 'POST', body }),
    signal: timeoutSignal(timeoutMs),
    redirect: 'manual', // a patient's words go to the configured server or nowhere
  });
  return { status: response.status, text: await response.text() }; // an unread body holds its connection
}

/** Ends without a slash: paths are appended to it. */
export function apiOf(baseUrl: string): string {
  return baseUrl.replace(/\/+$/, '');
}

/** vLLM serves /health, /metrics and /tokenize beside /v1. */
export function rootOf(baseUrl: string): string {
  return apiOf(baseUrl).replace(/\/v1$/, '');
}
