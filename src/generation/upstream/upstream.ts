/** One replica's HTTP side: the `openai` client with everything switched off that would act on its own. */
import { randomBytes } from 'node:crypto';
import OpenAI, { APIConnectionError, APIError } from 'openai';
import { Agent } from 'undici';
import { LONGEST_NODE_TIMER_MS, startTimer } from '../../clock.ts';
import { readAnswerBody } from './event-stream.ts';
import type { UpstreamCall } from './upstream-call.ts';

/** Says which model answers, and whether it is ours: a made-up answer must never pass as a real one. */
export interface ModelCard {
  readonly model: string;
  readonly simulated: boolean;
  /** Which engine it is, by `owned_by`; null where it does not say. */
  readonly owner: string | null;
}

export interface Upstream {
  /** The JSON values of the answer as they come. It ends or throws when the signal fires: ask the signal then. */
  stream(call: UpstreamCall, requestId: string, signal: AbortSignal): Promise<AsyncIterable<unknown>>;
  /** Asked once and kept; a failure is not kept. */
  card(): Promise<ModelCard>;
  /** After a sign that the server is not what it was. */
  forgetCard(): void;
}

export interface UpstreamOptions {
  readonly baseUrl: string;
  readonly apiKey: string | null;
  readonly model: string | null;
  readonly totalMs: number;
}

/** The owner that the simulator, and nothing else, puts on its model. */
const SIMULATOR_OWNER = 'rehydra-simulator';
const CARD_TIMEOUT_MS = 5_000;
const CLOSED_CONNECTION: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);
/** How much of a refusal is read, and for how long: a server may keep this body open too. */
const REFUSAL_MAX_BYTES = 64 * 1024;
const REFUSAL_MAX_MS = 1_000;
/** A connection serves the next request only if the body has ended; most end right after [DONE]. */
const LAST_BYTES_MS = 100;

/** By default undici gives up after five minutes of silence. How long a model may think is for the watchdog to say. */
const unhurried: object = { dispatcher: new Agent({ headersTimeout: 0, bodyTimeout: 0 }) };

export function createUpstream(options: UpstreamOptions): Upstream {
  const client = new OpenAI({
    baseURL: options.baseUrl,
    apiKey: options.apiKey ?? 'none',
    // null, not absent: absent would be read from OPENAI_* variables that belong to another program.
    adminAPIKey: null,
    organization: null,
    project: null,
    maxRetries: 0, // the session retries, from what is stored; a retry in here would start over
    // openai arms one of Node's timers with it: a longer one would fire at once.
    timeout: Math.min(options.totalMs + 1_000, LONGEST_NODE_TIMER_MS), // a net below the watchdog, which knows why it fires
    logLevel: 'off', // it would print lines of the stream
    defaultHeaders: options.apiKey === null ? { Authorization: null } : {},
    // A patient's words go to the configured server or nowhere. Not 'error': with it, undici 6 (Node 20) keeps
    // nothing that holds the request's AbortController; once it is collected an abort is lost, and the engine
    // goes on generating for nobody. 'manual' refuses a redirect as well (3xx is no success) and keeps it.
    fetchOptions: { redirect: 'manual', ...unhurried },
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
    async stream(call, requestId, signal) {
      const path = call.api === 'chat' ? '/chat/completions' : '/completions';
      // `post` and not `chat.completions.create`: the body has fields of vLLM that the types do not know.
      // The response and not its stream: the library's stream loses a last event without its blank line,
      // waits behind [DONE] and drops the words of a flat error.
      const post = () => {
        // Engines and gateways take two requests of one id for one request.
        const id = `${requestId}-${randomBytes(4).toString('hex')}`;
        const headers = { 'X-Request-Id': id, 'X-Session-ID': call.sessionId };
        return client.post(path, { body: call.body, headers, signal }).asResponse();
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
 * The client library keeps the `error` member of a refusal and throws away the rest, and with it the words of servers
 * that have no such member. So the whole body goes in as that member; failure.ts reads it from there.
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

/** Waits for work whose failure changes nothing, and not for ever. */
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
