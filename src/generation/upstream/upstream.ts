/** Sends requests to one replica with the `openai` client, without the retries and logs of that library. */
import { randomBytes } from 'node:crypto';
import OpenAI, { APIConnectionError, APIError } from 'openai';
import { Agent } from 'undici';
import { LONGEST_NODE_TIMER_MS, startTimer } from '../../clock.ts';
import { readAnswerBody } from './event-stream.ts';
import type { UpstreamApi } from './upstream-chunk.ts';

/** The model that answers, and whether it is the simulator: its answers must never pass as real ones. */
export interface ModelCard {
  readonly model: string;
  readonly simulated: boolean;
  /** `owned_by`, which names the engine; null if the server has none. */
  readonly owner: string | null;
}

export interface UpstreamRequest {
  readonly api: UpstreamApi;
  readonly body: Readonly<Record<string, unknown>>;
  readonly sessionId: string;
}

export interface Upstream {
  /** The JSON values of the answer as they come. It ends or throws when the signal fires: check the signal then. */
  stream(request: UpstreamRequest, requestId: string, signal: AbortSignal): Promise<AsyncIterable<unknown>>;
  /** Asks the server once and keeps the card; after a failure the next call asks again. */
  card(): Promise<ModelCard>;
  /** Called when another server may answer at this address. */
  forgetCard(): void;
}

export interface UpstreamOptions {
  readonly baseUrl: string;
  readonly apiKey: string | null;
  readonly model: string | null;
  readonly totalMs: number;
}

/** The owner in the model card of the simulator alone. */
const SIMULATOR_OWNER = 'rehydra-simulator';
const CARD_TIMEOUT_MS = 5_000;
const CLOSED_CONNECTION: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);
/** The limits for reading a refusal: a server may keep this body open too. */
const REFUSAL_MAX_BYTES = 64 * 1024;
const REFUSAL_MAX_MS = 1_000;
/** A connection serves the next request only if the body has ended; most end right after [DONE]. */
const LAST_BYTES_MS = 100;

/** By default undici gives up after five minutes of silence. The watchdog decides how long a model may think. */
const noTimeouts: object = { dispatcher: new Agent({ headersTimeout: 0, bodyTimeout: 0 }) };

export function createUpstream(options: UpstreamOptions): Upstream {
  const client = new OpenAI({
    baseURL: options.baseUrl,
    apiKey: options.apiKey ?? 'none',
    // null, not absent: otherwise the library reads OPENAI_* variables that belong to another program.
    adminAPIKey: null,
    organization: null,
    project: null,
    maxRetries: 0, // the session retries from the stored text; a retry in here would start over
    // The library arms one of Node's timers with it: a longer one would fire immediately.
    timeout: Math.min(options.totalMs + 1_000, LONGEST_NODE_TIMER_MS), // above the watchdog's limits
    logLevel: 'off', // the library would print lines of the stream
    defaultHeaders: options.apiKey === null ? { Authorization: null } : {},
    // A patient's words go to the configured server or nowhere. Not 'error': with it, undici 6 (Node 20) lets the
    // garbage collector take the request's AbortController. Then an abort is lost, and the engine goes on without a
    // client. 'manual' refuses a redirect as well (3xx is no success) and keeps the controller.
    fetchOptions: { redirect: 'manual', ...noTimeouts },
    fetch: async (url, init) => withWholeRefusal(await fetch(url, init)),
  });
  let kept: Promise<ModelCard> | null = null;

  async function ask(): Promise<ModelCard> {
    const list = await client.models.list({ timeout: CARD_TIMEOUT_MS });
    const card = list.data.find((model) => model.id === options.model) ?? list.data[0];
    const owner = card?.owned_by ?? null;
    return { model: options.model ?? card?.id ?? '', simulated: owner === SIMULATOR_OWNER, owner };
  }

  return {
    card() {
      kept ??= ask().catch((error: unknown) => {
        // Some gateways have no list, and a configured model needs none.
        const hasNoList = error instanceof APIError && (error.status === 404 || error.status === 405);
        if (!hasNoList || options.model === null) kept = null;
        if (options.model !== null) return { model: options.model, simulated: false, owner: null };
        throw error;
      });
      return kept;
    },
    forgetCard() {
      kept = null;
    },
    async stream({ api, body, sessionId }, requestId, signal) {
      const path = api === 'chat' ? '/chat/completions' : '/completions';
      // `post`, not `chat.completions.create`: the library's types lack vLLM's fields.
      // The response, not its stream: the library's stream loses a last event without its blank line,
      // waits behind [DONE] and drops the words of a flat error.
      const post = () => {
        // Engines and gateways treat two requests of one id as one request.
        const id = `${requestId}-${randomBytes(4).toString('hex')}`;
        const headers = { 'X-Request-Id': id, 'X-Session-ID': sessionId };
        return client.post(path, { body, headers, signal }).asResponse();
      };
      const response = await post().catch((error: unknown) => {
        // A server may close an idle connection (vLLM after five seconds) just as a request goes out on it.
        if (signal.aborted || !isClosedConnection(error)) throw error;
        return post();
      });
      return readAnswerBody(bytesOf(response));
    },
  };
}

/** The connection ended before the first byte of a response. */
function isClosedConnection(error: unknown): boolean {
  if (!(error instanceof APIConnectionError)) return false;
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== undefined && CLOSED_CONNECTION.has(code)) return true;
  }
  return false;
}

async function* bytesOf(response: Response): AsyncGenerator<Uint8Array, void> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  const readToEnd = async (): Promise<void> => {
    while (!(await reader.read()).done);
  };
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await settled(readToEnd(), LAST_BYTES_MS);
    await settled(reader.cancel(), LAST_BYTES_MS);
  }
}

/**
 * The client library keeps only the `error` member of a refusal, and loses the words of servers without one. So the
 * whole body becomes that member, where failure.ts reads it.
 */
async function withWholeRefusal(response: Response): Promise<Response> {
  const { ok, status, headers, body } = response;
  if (ok || body === null) return response;
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  const read = async (): Promise<void> => {
    while (text.length < REFUSAL_MAX_BYTES) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
    }
  };
  await settled(read(), REFUSAL_MAX_MS);
  await settled(reader.cancel(), LAST_BYTES_MS);
  return new Response(JSON.stringify({ error: text }), { status, headers });
}

/** Waits at most `maxMs` for work whose failure does not matter. */
function settled(work: Promise<unknown>, maxMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = startTimer(maxMs, resolve);
    const done = (): void => {
      timer.cancel();
      resolve();
    };
    work.then(done, done);
  });
}
