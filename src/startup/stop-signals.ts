/** StopSignals tells the first SIGTERM or SIGINT, which asks for a drain, from the second, which ends a program. */

/** A terminal and its shell may both forward one Ctrl-C: signals this close together count as one. */
const SAME_SIGNAL_MS = 1_000;

export interface StopRequests {
  first(signal: string): void;
  second(signal: string): void;
}

export function onStopSignals(requests: StopRequests): void {
  let firstMs: number | null = null;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      const nowMs = performance.now();
      if (firstMs === null) {
        firstMs = nowMs;
        requests.first(signal);
      } else if (nowMs - firstMs >= SAME_SIGNAL_MS) requests.second(signal);
    });
  }
}
