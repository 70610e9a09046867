/** Statistics counts the requests of a simulator, for /metrics and for tests of cancelled requests. */
import type { Settings } from '../settings.ts';
import type { Engine } from './engine.ts';

export interface RequestRecord {
  readonly id: string;
  readonly api: 'chat' | 'text';
  readonly sessionId: string | null;
  readonly conversationKey: string;
  readonly promptTokens: number;
  readonly isContinuation: boolean;
}

interface Totals {
  requests: number;
  /** Requests whose client left before the end. */
  aborted: number;
  completed: number;
  /** Requests that a fault ended. */
  faulted: number;
  /** Refused before any token: 4xx and 5xx. */
  refused: number;
  admissionRejections: number;
  promptTokens: number;
  cachedTokens: number;
  completionTokens: number;
}

export interface SimulatorStats extends Readonly<Totals> {
  readonly running: number;
  readonly waiting: number;
  readonly byConversation: Readonly<Record<string, number>>;
  readonly bySession: Readonly<Record<string, number>>;
  /** The latest accepted requests, oldest first. */
  readonly recent: readonly RequestRecord[];
}

export type RequestOutcome = 'completed' | 'aborted' | 'faulted';

const MAX_RECENT = 100;
/** A simulator that runs for days must not remember every conversation. */
const MAX_KEYS = 10_000;

export class Statistics {
  readonly #totals: Totals = {
    ...{ requests: 0, aborted: 0, completed: 0, faulted: 0, refused: 0, admissionRejections: 0 },
    ...{ promptTokens: 0, cachedTokens: 0, completionTokens: 0 },
  };
  readonly #finishReasons = new Map<string, number>();
  readonly #byConversation = new Map<string, number>();
  readonly #bySession = new Map<string, number>();
  readonly #recent: RequestRecord[] = [];

  accepted(record: RequestRecord): void {
    this.#totals.requests += 1;
    count(this.#byConversation, record.conversationKey);
    if (record.sessionId !== null) count(this.#bySession, record.sessionId);
    this.#recent.push(record);
    if (this.#recent.length > MAX_RECENT) this.#recent.shift();
  }

  refused(reason: 'admission' | 'other'): void {
    this.#totals.refused += 1;
    if (reason === 'admission') this.#totals.admissionRejections += 1;
  }

  prompted(promptTokens: number, cachedTokens: number): void {
    this.#totals.promptTokens += promptTokens;
    this.#totals.cachedTokens += cachedTokens;
  }

  ended(outcome: RequestOutcome, finishReason: string, completionTokens: number): void {
    this.#totals[outcome] += 1;
    this.#totals.completionTokens += completionTokens;
    if (outcome !== 'faulted') count(this.#finishReasons, finishReason);
  }

  report({ running, waiting }: Engine): SimulatorStats {
    return {
      ...this.#totals,
      running,
      waiting,
      byConversation: Object.fromEntries(this.#byConversation),
      bySession: Object.fromEntries(this.#bySession),
      recent: [...this.#recent],
    };
  }

  /** /metrics in Prometheus text, under vLLM's names of today or those from before vLLM dropped the gpu_ prefix. */
  metrics({ running, waiting }: Engine, { model, kvCacheUsage, oldMetricNames }: Settings): string {
    const totals = this.#totals;
    const kvUsage = kvCacheUsage ?? Math.min(1, running / KV_CACHE_REQUESTS);
    const lines: string[] = [];
    const metric = (type: 'gauge' | 'counter', name: string, value: number, label = ''): void => {
      const labels = `engine="0",model_name="${model}"${label}`;
      lines.push(`# TYPE vllm:${name} ${type}`, `vllm:${name}{${labels}} ${value}`);
    };

    metric('gauge', 'num_requests_running', running);
    metric('gauge', 'num_requests_waiting', waiting);
    if (oldMetricNames) {
      metric('gauge', 'gpu_cache_usage_perc', kvUsage);
      metric('counter', 'gpu_prefix_cache_queries_total', totals.promptTokens);
      metric('counter', 'gpu_prefix_cache_hits_total', totals.cachedTokens);
    } else {
      metric('gauge', 'num_requests_waiting_by_reason', waiting, ',reason="capacity"');
      metric('gauge', 'num_requests_waiting_by_reason', 0, ',reason="deferred"');
      metric('gauge', 'kv_cache_usage_perc', kvUsage);
      metric('counter', 'prefix_cache_queries_total', totals.promptTokens);
      metric('counter', 'prefix_cache_hits_total', totals.cachedTokens);
      metric('counter', 'prompt_tokens_cached_total', totals.cachedTokens);
      const reason = ',reason="max_num_queued_reqs"';
      metric('counter', 'admission_rejections_total', totals.admissionRejections, reason);
      metric('gauge', 'engine_sleep_state', 1, ',sleep_state="awake"');
    }
    metric('counter', 'num_preemptions_total', 0);
    metric('counter', 'prompt_tokens_total', totals.promptTokens);
    metric('counter', 'generation_tokens_total', totals.completionTokens);
    for (const [reason, value] of this.#finishReasons)
      metric('counter', 'request_success_total', value, `,finished_reason="${reason}"`);
    return `${lines.join('\n')}\n`;
  }
}

/** How many requests fill the imaginary KV cache: its usage rises with the running requests. */
const KV_CACHE_REQUESTS = 256;

function count(map: Map<string, number>, key: string): void {
  map.set(key, (map.get(key) ?? 0) + 1);
  if (map.size > MAX_KEYS) map.delete(map.keys().next().value ?? key);
}
