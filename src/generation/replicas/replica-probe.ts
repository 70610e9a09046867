/** Asks one replica how it is. Both paths lie beside /v1, not under it, and need no key. */

import { timeoutSignal } from '../../clock.ts';
import { type ReplicaLoad, readLoad } from './replica-load.ts';

export interface ProbeResult {
  readonly healthy: boolean;
  /** null: it did not say. */
  readonly load: ReplicaLoad | null;
}

const ILL: ProbeResult = { healthy: false, load: null };

export async function probeReplica(baseUrl: string, timeoutMs: number): Promise<ProbeResult> {
  const root = baseUrl.replace(/\/v1\/?$/, '');
  const [health, metrics] = await Promise.all([
    ask(`${root}/health`, timeoutMs),
    ask(`${root}/metrics`, timeoutMs),
  ]);
  // A gateway that does not know /health (404) is not ill; a dead engine says 503.
  if (health === null || health.status >= 500) return ILL;
  return { healthy: true, load: metrics?.status === 200 ? readLoad(metrics.text) : null };
}

async function ask(url: string, timeoutMs: number): Promise<{ status: number; text: string } | null> {
  try {
    const response = await fetch(url, { signal: timeoutSignal(timeoutMs), redirect: 'manual' });
    return { status: response.status, text: await response.text() };
  } catch {
    return null; // unreachable or too slow: the same to us
  }
}
