/**
 * The token clock stamps each token with its time: `@` and microseconds of the machine's monotonic clock, which all
 * processes share. Each token thus has its own latency, however many arrive together. It reads bytes and not text: with a
 * string and a pattern per frame the generator would be the limit at 20,000 tokens per second.
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

const AT = '@'.charCodeAt(0);
const ZERO = '0'.charCodeAt(0);

export interface TokenClock {
  /** Takes whole tokens only. */
  receive(bytes: Buffer): void;
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
    const own = ownCpuMs() - ownBefore;
    return {
      tokens: latencies.length,
      frames,
      windowMs: performance.now() - beganAt,
      usage: usageBetween(before, readUsage(watch), own),
      ownCpuMs: own,
      latencyMs: summarise(latencies),
    };
  }

  return {
    receive(bytes) {
      if (!measuring) return;
      const now = nowUs();
      const before = latencies.length;
      for (let at = 0; at < bytes.length; at++) {
        if (bytes[at] !== AT) continue;
        let stampUs = 0;
        for (let digit = bytes[++at]; digit !== undefined; digit = bytes[++at]) {
          if (digit < ZERO || digit > ZERO + 9) break;
          stampUs = stampUs * 10 + digit - ZERO;
        }
        latencies.push((now - stampUs) / 1_000);
      }
      if (latencies.length > before) frames += 1;
    },
    result: measure(),
  };
}
