/**
 * EarlySignals ends a program on a signal that arrives while it still loads. Linux ignores a signal to the first process of
 * a container without a handler: a SIGTERM would be lost, and the container would run until it is killed.
 *
 * A program calls this first and imports its other modules dynamically, because Node evaluates static imports first.
 */

export function endOnSignals(): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(0);
    });
  }
}
