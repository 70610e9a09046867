import type { GenerationResult } from '../../generation/port.ts';

/**
 * The tokens of one call of the model, read and written. A call that broke off has no figures of the model: there our own
 * count of the prompt and the received tokens stand in. A model server that failed before its first token costs nothing.
 */
export function costOf(result: GenerationResult, promptTokens: number, written: number): number {
  if (result.kind === 'completed') return result.usage.prompt_tokens + result.usage.completion_tokens;
  // A client could otherwise cancel each answer right before its end, and never pay.
  return result.kind === 'aborted' || written > 0 ? promptTokens + written : 0;
}
