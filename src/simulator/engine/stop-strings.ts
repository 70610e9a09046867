/**
 * Stop strings, as vLLM applies them: text is held back by the length of the longest one less one, because
 * its beginning may turn out to be a stop. So with stop strings the ids of a chunk run ahead of its text.
 */
export interface StopFilter {
  push(text: string): { readonly text: string; readonly stoppedBy: string | null };
  flush(): string;
}

export function createStopFilter(stops: readonly string[]): StopFilter {
  const holdBack = Math.max(0, ...stops.map((stop) => stop.length)) - 1;
  let held = '';

  return {
    push(text) {
      if (stops.length === 0) return { text, stoppedBy: null };
      held += text;
      for (const stop of stops) {
        const at = held.indexOf(stop);
        if (at >= 0) return { text: held.slice(0, at), stoppedBy: stop };
      }
      const ready = held.slice(0, Math.max(0, held.length - holdBack));
      held = held.slice(ready.length);
      return { text: ready, stoppedBy: null };
    },
    flush() {
      const rest = held;
      held = '';
      return rest;
    },
  };
}
