/** Reads a model server's own request counters: only they prove that a cancelled request stopped. */
import { rootOf } from './server-request.ts';

export interface Counters {
  readonly running: number;
  /** Tokens generated since the start. */
  readonly generated: number;
}

const RUNNING = ['vllm:num_requests_running', 'llamacpp:requests_processing'];
const GENERATED = ['vllm:generation_tokens_total', 'llamacpp:tokens_predicted_total'];

/** null: the server has no such metrics. */
export async function readCounters(url: string): Promise<Counters | null> {
  const response = await fetch(`${rootOf(url)}/metrics`);
  const text = await response.text();
  if (!response.ok) return null;
  const running = sumOf(text, RUNNING);
  const generated = sumOf(text, GENERATED);
  return running === null || generated === null ? null : { running, generated };
}

function sumOf(metrics: string, names: readonly string[]): number | null {
  const values = metrics
    .split('\n')
    .filter((line) => names.some((name) => line.startsWith(`${name}{`) || line.startsWith(`${name} `)))
    .map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)));
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0);
}
