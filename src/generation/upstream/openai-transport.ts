/** OpenaiTransport sends requests with the `openai` client over Node's `fetch`: see transport.ts for its promises. */
import type OpenAI from 'openai';
import { startTimer } from '../../clock.ts';
import { classify } from './failure.ts';
import {
  idHeaders,
  isClosedConnection,
  LAST_BYTES_MS,
  REFUSAL_MAX_BYTES,
  REFUSAL_MAX_MS,
  type Transport,
  type TransportCall,
  type TransportListener,
  type TransportRequest,
} from './transport.ts';

export function createOpenaiTransport(client: OpenAI): Transport {
  return {
    post(request, listener) {
      const call = new OpenaiCall(client, request, listener);
      void call.run();
      return call;
    },
  };
}

class OpenaiCall implements TransportCall {
  readonly #client: OpenAI;
  readonly #request: TransportRequest;
  readonly #listener: TransportListener;
  readonly #abort = new AbortController();
  #phase: 'running' | 'last-bytes' | 'over' = 'running';

  constructor(client: OpenAI, request: TransportRequest, listener: TransportListener) {
    this.#client = client;
    this.#request = request;
    this.#listener = listener;
  }

  async run(): Promise<void> {
    let response: Response;
    try {
      response = await this.#respond();
    } catch (error) {
      return this.#end(error, 'before-stream');
    }
    try {
      await this.#read(response.body?.getReader() ?? null);
      this.#end(null, 'in-stream');
    } catch (error) {
      this.#end(error, 'in-stream');
    }
  }

  finish(): void {
    if (this.#phase === 'running') this.#phase = 'last-bytes';
  }

  abort(): void {
    this.#phase = 'over'; // TRANSPORT-1
    this.#abort.abort();
  }

  async #respond(): Promise<Response> {
    try {
      return await this.#post();
    } catch (error) {
      if (this.#phase === 'over' || !isClosedConnection(error)) throw error;
      return await this.#post(); // TRANSPORT-2
    }
  }

  /**
   * `post`, not `chat.completions.create`: the library's types lack vLLM's fields. The response, not its stream: the
   * library's stream loses a last event without its blank line, waits behind [DONE] and drops the words of a flat error.
   */
  #post(): Promise<Response> {
    const { path, body } = this.#request;
    const headers = idHeaders(this.#request);
    return this.#client.post(path, { body, headers, signal: this.#abort.signal }).asResponse();
  }

  async #read(reader: ReadableStreamDefaultReader<Uint8Array> | null): Promise<void> {
    if (reader === null) return;
    while (this.#phase === 'running') {
      const { done, value } = await reader.read();
      if (done) return;
      if (this.#phase === 'running') this.#listener.onBytes(value);
    }
    if (this.#phase === 'over') return;
    const readToEnd = async (): Promise<void> => {
      while (!(await reader.read()).done);
    };
    await settled(readToEnd(), LAST_BYTES_MS); // TRANSPORT-5
    await settled(reader.cancel(), LAST_BYTES_MS);
  }

  #end(error: unknown, place: 'before-stream' | 'in-stream'): void {
    const phase = this.#phase;
    if (phase === 'over') return; // TRANSPORT-1
    this.#phase = 'over';
    this.#listener.onEnd(error === null || phase === 'last-bytes' ? null : classify(error, place));
  }
}

/**
 * The client library keeps only the `error` member of a refusal, and loses the words of servers without one. So the
 * whole body becomes that member, where failure.ts reads it (TRANSPORT-4).
 */
export async function withWholeRefusal(response: Response): Promise<Response> {
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
