/**
 * How hard it is for this process to keep up: the delay of its event loop. Work that could not be served in time is
 * refused at the door, so that what is under way finishes.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { startInterval } from '../clock.ts';

export interface Pressure {
  /** True while half of the last second's turns of the event loop came later than they should by `limitMs`. */
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
