/**
 * The token clock stamps each token with its time: `@` and microseconds of the machine's monotonic clock, which all
 * processes share. Each token thus has its own latency, however many arrive together.
 */
import { summarise } from '../measure/summary.ts';
import { ownCpuMs, readUsage, usageBetween } from '../measure/usage.ts';
import type { StreamResult } from './orders.ts';

function nowUs(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

export function stampedToken(): string {
  return `@${nowUs()} `;
}

const TOKEN = /@(\d+) /g;

export interface TokenClock {
  receive(text: string): void;
  /** Resolves at the end of the window. */
  readonly result: Promise<StreamResult>;
}

export function startTokenClock(warmMs: number, windowMs: number, watch: readonly number[]): TokenClock {
  let measuring = false;
  let frames = 0;
  const latencies: number[] = [];
  const pause = (ms: number) => new Promise<void>((resume) => setTimeout(resume, ms));

  async function measure(): Promise<StreamResult> {
    await pause(warmMs);
    const before = readUsage(watch);
    const ownBefore = ownCpuMs();
    const beganAt = performance.now();
    measuring = true;
    await pause(windowMs);
    measuring = false;
    return {
      tokens: latencies.length,
      frames,
      windowMs: performance.now() - beganAt,
      usage: usageBetween(before, readUsage(watch), ownCpuMs() - ownBefore),
      latencyMs: summarise(latencies),
    };
  }

  return {
    receive(text) {
      if (!measuring) return;
      const at = nowUs();
      let any = false;
      for (const match of text.matchAll(TOKEN)) {
        latencies.push((at - Number(match[1])) / 1_000);
        any = true;
      }
      if (any) frames += 1;
    },
    result: measure(),
  };
}
