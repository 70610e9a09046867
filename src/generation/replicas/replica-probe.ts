/** Probes one replica: its health, and its load from vLLM's /metrics. Both paths are beside /v1 and need no key. */
import { rootOf, sideRequest } from '../upstream/side-request.ts';

export interface ProbeResult {
  readonly healthy: boolean;
  /** null: the replica reports none. */
  readonly load: ReplicaLoad | null;
}

export interface ReplicaLoad {
  readonly running: number;
  readonly waiting: number;
  /** Requests that wait because the engine is full; unlike `deferred` ones they will not start soon. */
  readonly waitingForCapacity: number;
  /** 0..1, of the fullest engine: one full engine preempts, however empty the others are. */
  readonly kvCacheUsage: number;
}

export async function probeReplica(baseUrl: string, timeoutMs: number): Promise<ProbeResult> {
  const ask = (path: string) => sideRequest(`${rootOf(baseUrl)}${path}`, { timeoutMs }).catch(() => null);
  const [health, metrics] = await Promise.all([ask('/health'), ask('/metrics')]);
  // A gateway without /health (404) is healthy; a dead engine answers with 503.
  if (health === null || health.status >= 500) return { healthy: false, load: null };
  return { healthy: true, load: metrics?.status === 200 ? readLoad(metrics.text) : null };
}

const SAMPLE = /^(vllm:[a-z_]+)(?:\{([^}]*)\})?\s+(\S+)/;

/** Reads old and new metric names, and sums the counts over engines. null: these are not vLLM's metrics. */
export function readLoad(metrics: string): ReplicaLoad | null {
  const load = { running: 0, waiting: 0, waitingForCapacity: 0, kvCacheUsage: 0 };
  let known = false;
  for (const line of metrics.split('\n')) {
    const [, name, labels = '', text] = SAMPLE.exec(line) ?? [];
    const value = Number(text);
    if (name === undefined || !Number.isFinite(value)) continue;
    // Whole names only: …_waiting is the beginning of …_waiting_by_reason, and would count twice.
    switch (name) {
      case 'vllm:num_requests_running':
        load.running += value;
        known = true;
        break;
      case 'vllm:num_requests_waiting':
        load.waiting += value;
        known = true;
        break;
      case 'vllm:num_requests_waiting_by_reason':
        if (/\breason="capacity"/.test(labels)) load.waitingForCapacity += value;
        break;
      case 'vllm:kv_cache_usage_perc':
      case 'vllm:gpu_cache_usage_perc':
        load.kvCacheUsage = Math.max(load.kvCacheUsage, value);
        break;
    }
  }
  return known ? load : null;
}
