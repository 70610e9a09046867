/** Which model answers and how much it can read, from /v1/models; asked seldom, and never twice at a time. */
import { timeoutSignal } from '../../clock.ts';

export interface ModelLimit {
  /** '' where it is not known: vLLM takes that for the model it has. */
  readonly model: string;
  /** The smallest of all replicas; null where none said. */
  readonly maxModelLen: number | null;
}

export interface ModelLimits {
  current(): Promise<ModelLimit>;
  /**
   * After a refusal for length, which is a sign that the limit is not what it was. `told`: the limit by the words of the
   * refusal, for servers whose list has none.
   */
  forget(told?: number | null): void;
}

export interface ModelLimitOptions {
  readonly baseUrls: readonly string[];
  readonly apiKey?: string;
  readonly model?: string;
  readonly timeoutMs?: number;
  readonly nowMs?: () => number;
}

const DEFAULT_TIMEOUT_MS = 2_000;
/** A replica may be deployed again with another limit. */
const KEPT_MS = 300_000;
/** While nobody answers, turns must not wait for it each time. */
const UNKNOWN_KEPT_MS = 10_000;

export function createModelLimits(options: ModelLimitOptions): ModelLimits {
  const now = options.nowMs ?? (() => performance.now());
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  let toldByRefusal: number | null = null;
  let kept: { readonly asked: Promise<ModelLimit>; untilMs: number } | null = null;

  async function ask(): Promise<ModelLimit> {
    const cards = await Promise.all(
      options.baseUrls.map((url) => askOne(url, options.apiKey, options.model, timeoutMs)),
    );
    const known = cards.filter((card) => card !== null);
    const lengths = known.flatMap(({ maxModelLen }) => (maxModelLen === null ? [] : [maxModelLen]));
    return {
      model: options.model ?? known[0]?.model ?? '',
      maxModelLen: lengths.length === 0 ? toldByRefusal : Math.min(...lengths),
    };
  }

  return {
    async current() {
      if (kept === null || now() >= kept.untilMs) {
        const entry = { asked: ask(), untilMs: Number.POSITIVE_INFINITY };
        kept = entry;
        const { maxModelLen } = await entry.asked;
        entry.untilMs = now() + (maxModelLen === null ? UNKNOWN_KEPT_MS : KEPT_MS);
      }
      return await kept.asked;
    },
    forget(told = null) {
      toldByRefusal = told ?? toldByRefusal;
      kept = null;
    },
  };
}

async function askOne(
  baseUrl: string,
  apiKey: string | undefined,
  model: string | undefined,
  timeoutMs: number,
): Promise<ModelLimit | null> {
  try {
    const response = await fetch(`${baseUrl.replace(/\/+$/, '')}/models`, {
      headers: apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` },
      signal: timeoutSignal(timeoutMs),
      redirect: 'manual',
    });
    const text = await response.text();
    return response.status === 200 ? readCard(JSON.parse(text), model) : null;
  } catch {
    return null; // the generation will find out what is wrong, and say so
  }
}

function readCard(body: unknown, model: string | undefined): ModelLimit | null {
  const data = (body as { readonly data?: unknown } | null)?.data;
  if (!Array.isArray(data)) return null;
  const cards = data.filter((card): card is Card => typeof card === 'object' && card !== null);
  const card = cards.find(({ id }) => id === model) ?? cards[0];
  if (card === undefined || typeof card.id !== 'string') return null;
  // vLLM leaves the limit of a LoRA adapter null: its base model has it.
  const base = cards.find(({ id }) => id === card.parent);
  return { model: card.id, maxModelLen: lengthOf(card) ?? (base === undefined ? null : lengthOf(base)) };
}

/** vLLM and SGLang name it `max_model_len`; llama.cpp's window is `meta.n_ctx`. */
function lengthOf({ max_model_len, meta }: Card): number | null {
  const window = (meta as { readonly n_ctx?: unknown } | null | undefined)?.n_ctx;
  return positive(max_model_len) ?? positive(window);
}

function positive(value: unknown): number | null {
  return typeof value === 'number' && value > 0 ? value : null;
}

interface Card {
  readonly id?: unknown;
  readonly parent?: unknown;
  readonly max_model_len?: unknown;
  readonly meta?: unknown;
}
