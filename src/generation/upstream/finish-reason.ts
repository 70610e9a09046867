/** What a server's finish reason means. vLLM says OpenAI's words; gateways pass on those of others. */
import type { FinishReason } from '../port.ts';

export type FinishMeaning =
  | { readonly kind: 'finished'; readonly reason: FinishReason }
  | { readonly kind: 'filtered' }
  | { readonly kind: 'aborted' }
  | { readonly kind: 'error' }
  | { readonly kind: 'unknown' };

const REASONS: readonly (readonly [FinishMeaning, readonly string[]])[] = [
  [{ kind: 'finished', reason: 'stop' }, ['stop', 'eos', 'eos_token', 'stop_sequence', 'end_turn']],
  [
    { kind: 'finished', reason: 'length' },
    ['length', 'max_tokens', 'model_length', 'model_context_window_exceeded'],
  ],
  [{ kind: 'finished', reason: 'tool_calls' }, ['tool_calls', 'function_call', 'tool_use']],
  [
    { kind: 'filtered' },
    ['content_filter', 'content_filtered', 'safety', 'sensitive', 'refusal', 'prohibited_content'],
  ],
  [{ kind: 'aborted' }, ['abort', 'aborted', 'cancelled', 'insufficient_system_resource']],
  [{ kind: 'error' }, ['error', 'network_error']],
];

const MEANINGS: ReadonlyMap<string, FinishMeaning> = new Map(
  REASONS.flatMap(([meaning, words]) => words.map((word) => [word, meaning] as const)),
);

export function meaningOf(finishReason: string): FinishMeaning {
  return MEANINGS.get(finishReason.toLowerCase()) ?? { kind: 'unknown' };
}
