/** How busy a replica says it is, read from vLLM's /metrics in either generation of names. */

export interface ReplicaLoad {
  readonly running: number;
  readonly waiting: number;
  /** Waiting because the engine is full; unlike `deferred` ones these will not start soon. */
  readonly waitingForCapacity: number;
  /** 0..1, of the fullest engine: one full engine preempts, however empty its neighbours are. */
  readonly kvCacheUsage: number;
}

const SAMPLE = /^(vllm:[a-z_]+)(?:\{([^}]*)\})?\s+(\S+)/;

/** null: this is no vLLM. Counts are summed over engines. */
export function readLoad(metrics: string): ReplicaLoad | null {
  let running = 0;
  let waiting = 0;
  let waitingForCapacity = 0;
  let kvCacheUsage = 0;
  let known = false;
  for (const line of metrics.split('\n')) {
    const [, name, labels = '', text] = SAMPLE.exec(line) ?? [];
    const value = Number(text);
    if (name === undefined || !Number.isFinite(value)) continue;
    // Whole names only: …_waiting is the beginning of …_waiting_by_reason, and would be counted twice.
    switch (name) {
      case 'vllm:num_requests_running':
        running += value;
        known = true;
        break;
      case 'vllm:num_requests_waiting':
        waiting += value;
        known = true;
        break;
      case 'vllm:num_requests_waiting_by_reason':
        if (/\breason="capacity"/.test(labels)) waitingForCapacity += value;
        break;
      case 'vllm:kv_cache_usage_perc':
      case 'vllm:gpu_cache_usage_perc':
        kvCacheUsage = Math.max(kvCacheUsage, value);
        break;
    }
  }
  return known ? { running, waiting, waitingForCapacity, kvCacheUsage } : null;
}
