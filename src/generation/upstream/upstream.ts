/** Upstream asks one replica for answers, over the configured transport, and for the model that answers. */
import { APIError } from 'openai';
import { type AnswerReader, type BodyState, createAnswerReader } from './event-stream.ts';
import { type Failure, failureOfBody } from './failure.ts';
import { createOpenaiClient } from './openai-client.ts';
import { createOpenaiTransport } from './openai-transport.ts';
import type { TransportCall, TransportListener, TransportName, TransportOptions } from './transport.ts';
import { createUndiciTransport } from './undici-transport.ts';
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

export interface AnswerListener {
  /** A JSON value of the answer. It must not throw. */
  onValue(value: unknown): void;
  /** Once, after the last value; null: the answer's body has ended. */
  onEnd(failure: Failure | null): void;
}

export interface Upstream {
  /** Sends the request. `abort` of the call closes it, and nothing reaches the listener afterwards. */
  ask(request: UpstreamRequest, requestId: string, listener: AnswerListener): Pick<TransportCall, 'abort'>;
  /** Asks the server once and keeps the card; after a failure the next call asks again. */
  card(): Promise<ModelCard>;
  /** Called when another server may answer at this address. */
  forgetCard(): void;
}

export interface UpstreamOptions extends TransportOptions {
  readonly transport: TransportName;
  readonly model: string | null;
  readonly totalMs: number;
}

/** The owner in the model card of the simulator alone. */
const SIMULATOR_OWNER = 'rehydra-simulator';
const CARD_TIMEOUT_MS = 5_000;

export function createUpstream(options: UpstreamOptions): Upstream {
  const client = createOpenaiClient(options);
  const transport =
    options.transport === 'openai' ? createOpenaiTransport(client) : createUndiciTransport(options);
  let kept: Promise<ModelCard> | null = null;

  async function askCard(): Promise<ModelCard> {
    const list = await client.models.list({ timeout: CARD_TIMEOUT_MS });
    const card = list.data.find((model) => model.id === options.model) ?? list.data[0];
    const owner = card?.owned_by ?? null;
    return { model: options.model ?? card?.id ?? '', simulated: owner === SIMULATOR_OWNER, owner };
  }

  return {
    card() {
      kept ??= askCard().catch((error: unknown) => {
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
    ask({ api, body, sessionId }, requestId, listener) {
      const path = api === 'chat' ? '/chat/completions' : '/completions';
      const reading = new Reading(listener);
      reading.call = transport.post({ path, body, requestId, sessionId }, reading);
      return reading.call;
    },
  };
}

/** Reading turns the bytes of one answer into its values. */
class Reading implements TransportListener {
  readonly #listener: AnswerListener;
  readonly #reader: AnswerReader;
  call: TransportCall | null = null;

  constructor(listener: AnswerListener) {
    this.#listener = listener;
    this.#reader = createAnswerReader((value) => listener.onValue(value));
  }

  onBytes(piece: Uint8Array): void {
    const state = this.#reader.push(piece);
    if (state === 'open') return;
    if (state === 'done') return this.call?.finish();
    this.call?.abort();
    this.#listener.onEnd(failureOfBody(state));
  }

  onEnd(failure: Failure | null): void {
    const state: BodyState = this.#reader.end();
    const isBroken = state !== 'open' && state !== 'done';
    this.#listener.onEnd(isBroken ? failureOfBody(state) : state === 'done' ? null : failure);
  }
}
