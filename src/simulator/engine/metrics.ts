/** /metrics in Prometheus text, under vLLM's names of today or those before the gpu_ prefix was dropped. */
import type { Settings } from '../settings.ts';
import type { Statistics } from './statistics.ts';

export interface EngineLoad {
  readonly running: number;
  readonly waiting: number;
}

/** What the made-up KV cache holds, for a usage that rises with the running requests. */
const KV_CACHE_REQUESTS = 256;

export function renderMetrics(settings: Settings, load: EngineLoad, statistics: Statistics): string {
  const { totals } = statistics;
  const labels = `engine="0",model_name="${settings.model}"`;
  const kvUsage = settings.kvCacheUsage ?? Math.min(1, load.running / KV_CACHE_REQUESTS);
  const lines: string[] = [];

  const metric = (type: 'gauge' | 'counter', name: string, value: number, extra = ''): void => {
    lines.push(`# TYPE vllm:${name} ${type}`, `vllm:${name}{${labels}${extra}} ${value}`);
  };

  metric('gauge', 'num_requests_running', load.running);
  metric('gauge', 'num_requests_waiting', load.waiting);
  if (settings.oldMetricNames) {
    metric('gauge', 'gpu_cache_usage_perc', kvUsage);
    metric('counter', 'gpu_prefix_cache_queries_total', totals.promptTokens);
    metric('counter', 'gpu_prefix_cache_hits_total', totals.cachedTokens);
  } else {
    metric('gauge', 'num_requests_waiting_by_reason', load.waiting, ',reason="capacity"');
    metric('gauge', 'num_requests_waiting_by_reason', 0, ',reason="deferred"');
    metric('gauge', 'kv_cache_usage_perc', kvUsage);
    metric('counter', 'prefix_cache_queries_total', totals.promptTokens);
    metric('counter', 'prefix_cache_hits_total', totals.cachedTokens);
    metric('counter', 'prompt_tokens_cached_total', totals.cachedTokens);
    metric(
      'counter',
      'admission_rejections_total',
      totals.admissionRejections,
      ',reason="max_num_queued_reqs"',
    );
    metric('gauge', 'engine_sleep_state', 1, ',sleep_state="awake"');
  }
  metric('counter', 'num_preemptions_total', 0);
  metric('counter', 'prompt_tokens_total', totals.promptTokens);
  metric('counter', 'generation_tokens_total', totals.completionTokens);
  for (const [reason, value] of totals.finishReasons) {
    metric('counter', 'request_success_total', value, `,finished_reason="${reason}"`);
  }
  return `${lines.join('\n')}\n`;
}
