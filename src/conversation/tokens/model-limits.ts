/** Reads from /v1/models which model answers and how much it can read; turns that ask together share one request. */
import {
  isRecord,
  type Loose,
  parseJson,
  positiveIn,
  recordIn,
} from '../../generation/upstream/loose-json.ts';
import { apiOf, sideRequest } from '../../generation/upstream/side-request.ts';

export interface ModelLimit {
  /** '' if it is unknown: vLLM then uses the model that it has. */
  readonly model: string;
  /** The smallest of all replicas; null if none reports one. */
  readonly maxModelLen: number | null;
}

export interface ModelLimits {
  current(): Promise<ModelLimit>;
  /** Call it after a refusal for length: the limit has changed. `refused` is the limit that the refusal named. */
  forget(refused?: number | null): void;
}

export interface ModelLimitOptions {
  readonly baseUrls: readonly string[];
  readonly apiKey?: string | null;
  readonly model?: string | null;
  readonly nowMs?: () => number;
}

const TIMEOUT_MS = 2_000;
/** A replica may be deployed again with another limit. */
const KEPT_MS = 300_000;
/** While no server answers, turns must not wait for one each time. */
const UNKNOWN_KEPT_MS = 10_000;

export function createModelLimits(options: ModelLimitOptions): ModelLimits {
  const { baseUrls, apiKey = null, model = null, nowMs: now = () => performance.now() } = options;
  let fromRefusal: number | null = null;
  let kept: { readonly limit: Promise<ModelLimit>; untilMs: number } | null = null;

  async function ask(): Promise<ModelLimit> {
    const known = (await Promise.all(baseUrls.map(askOne))).filter((limit) => limit !== null);
    const lengths = known.flatMap(({ maxModelLen }) => (maxModelLen === null ? [] : [maxModelLen]));
    return {
      model: model ?? known[0]?.model ?? '',
      maxModelLen: lengths.length === 0 ? fromRefusal : Math.min(...lengths),
    };
  }

  async function askOne(baseUrl: string): Promise<ModelLimit | null> {
    try {
      const { status, text } = await sideRequest(`${apiOf(baseUrl)}/models`, {
        apiKey,
        timeoutMs: TIMEOUT_MS,
      });
      return status === 200 ? readCard(parseJson(text), model) : null;
    } catch {
      return null; // the generation fails for the same reason, and names it
    }
  }

  return {
    async current() {
      if (kept === null || now() >= kept.untilMs) {
        const entry = { limit: ask(), untilMs: Number.POSITIVE_INFINITY };
        kept = entry;
        const { maxModelLen } = await entry.limit;
        entry.untilMs = now() + (maxModelLen === null ? UNKNOWN_KEPT_MS : KEPT_MS);
      }
      return await kept.limit;
    },
    forget(refused = null) {
      fromRefusal = refused ?? fromRefusal;
      kept = null;
    },
  };
}

function readCard(body: unknown, model: string | null): ModelLimit | null {
  const { data } = recordIn(body);
  if (!Array.isArray(data)) return null;
  const cards = data.filter(isRecord);
  const card = cards.find(({ id }) => id === model) ?? cards[0];
  if (card === undefined || typeof card.id !== 'string') return null;
  // vLLM leaves the limit of a LoRA adapter null: its base model has it.
  const base = cards.find(({ id }) => id === card.parent);
  return { model: card.id, maxModelLen: lengthOf(card) ?? (base === undefined ? null : lengthOf(base)) };
}

/** vLLM and SGLang name it `max_model_len`; llama.cpp's window is `meta.n_ctx`. */
function lengthOf({ max_model_len, meta }: Loose): number | null {
  return positiveIn(max_model_len) ?? positiveIn(recordIn(meta).n_ctx);
}
