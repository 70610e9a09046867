/** Makes the `openai` client of one replica, without the retries, logs and variables of that library. */
import OpenAI from 'openai';
import { Agent } from 'undici';
import { LONGEST_NODE_TIMER_MS } from '../../clock.ts';
import { withWholeRefusal } from './openai-transport.ts';
import type { TransportOptions } from './transport.ts';

export interface OpenaiClientOptions extends TransportOptions {
  readonly totalMs: number;
}

/** By default undici gives up after five minutes of silence (TRANSPORT-6). */
const noTimeouts: object = { dispatcher: new Agent({ headersTimeout: 0, bodyTimeout: 0 }) };

export function createOpenaiClient({ baseUrl, apiKey, totalMs }: OpenaiClientOptions): OpenAI {
  return new OpenAI({
    baseURL: baseUrl,
    apiKey: apiKey ?? 'none',
    // null, not absent: otherwise the library reads OPENAI_* variables that belong to another program.
    adminAPIKey: null,
    organization: null,
    project: null,
    maxRetries: 0, // the session retries from the stored text; a retry in here would start over
    // The library arms one of Node's timers with it: a longer one would fire immediately.
    timeout: Math.min(totalMs + 1_000, LONGEST_NODE_TIMER_MS), // above the watchdog's limits
    logLevel: 'off', // the library would print lines of the stream
    defaultHeaders: apiKey === null ? { Authorization: null } : {},
    // Not 'error': with it, undici 6 (Node 20) lets the garbage collector take the request's AbortController. Then an
    // abort is lost, and the engine goes on without a client. 'manual' refuses a redirect as well (3xx is no success:
    // TRANSPORT-3) and keeps the controller.
    fetchOptions: { redirect: 'manual', ...noTimeouts },
    fetch: async (url, init) => withWholeRefusal(await fetch(url, init)),
  });
}
