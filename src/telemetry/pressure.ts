/**
 * Pressure measures the delay of the event loop. An instance under pressure refuses new work, so that running work
 * finishes.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { startInterval } from '../clock.ts';

export interface Pressure {
  /** True while at least half of the last second's event loop turns were late by `limitMs`. */
  isHigh(): boolean;
  stop(): void;
}

const SAMPLE_MS = 1_000;
const NANOSECONDS_PER_MS = 1e6;

export function watchPressure(limitMs: number): Pressure {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  let high = false;
  delay.enable();
  const sample = () => {
    high = delay.percentile(50) / NANOSECONDS_PER_MS > limitMs;
    delay.reset();
  };
  const timer = startInterval(SAMPLE_MS, sample, { background: true });
  return {
    isHigh: () => high,
    stop() {
      timer.cancel();
      delay.disable();
    },
  };
}
