/** A generator that is timed from outside: first text, whole attempt, tokens. */
import type { Generator } from '../generation/port.ts';
import type { Meters } from '../telemetry/meters.ts';

export function measuredGenerator(generator: Generator, meters: Meters): Generator {
  return {
    async generate(request, onChunk, signal) {
      const startedAt = performance.now();
      const elapsed = () => (performance.now() - startedAt) / 1_000;
      let begun = false;
      const result = await generator.generate(
        request,
        (chunk) => {
          if (!begun) {
            begun = true;
            meters.firstToken(elapsed());
          }
          onChunk(chunk);
        },
        signal,
      );
      meters.generated(result.kind === 'failed' ? result.code : result.kind, elapsed());
      if (result.kind === 'completed') {
        const { prompt_tokens, completion_tokens, cached_tokens } = result.usage;
        meters.tokens('prompt', prompt_tokens);
        meters.tokens('completion', completion_tokens);
        meters.tokens('cached', cached_tokens ?? 0);
      }
      return result;
    },
    close: () => generator.close(),
  };
}
