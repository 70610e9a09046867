/**
 * Signals that arrive while a program still loads. Linux ignores a signal to the first process of a container that has
 * no handler for it, so a SIGTERM would be lost, and the container would run until it is killed.
 *
 * A program calls this before it loads its other modules: it imports them dynamically, since Node evaluates static
 * imports first.
 */

/** Ends the process with code 0 on SIGTERM and SIGINT, until the program has handlers of its own. */
export function endOnSignals(): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(0);
    });
  }
}
