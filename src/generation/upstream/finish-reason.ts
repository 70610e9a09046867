/** finishOf reads a server's finish reason. vLLM uses OpenAI's words; gateways pass on those of other servers. */
import type { FinishReason } from '../port.ts';
import { type Failure, failure } from './failure.ts';

const FINISHES: Readonly<Record<FinishReason, readonly string[]>> = {
  stop: ['stop', 'eos', 'eos_token', 'stop_sequence', 'end_turn'],
  length: ['length', 'max_tokens', 'model_length', 'model_context_window_exceeded'],
  tool_calls: ['tool_calls', 'function_call', 'tool_use'],
};
const FAILURES = {
  content_filtered: [
    'content_filter',
    'content_filtered',
    'safety',
    'sensitive',
    'refusal',
    'prohibited_content',
  ],
  upstream_aborted: ['abort', 'aborted', 'cancelled', 'insufficient_system_resource'],
  upstream_error: ['error', 'network_error'],
} as const satisfies Record<string, readonly string[]>;

/** A request that ended for an unknown reason would probably end the same way again. */
const UNKNOWN: Failure = {
  code: 'upstream_error',
  message: 'The model ended for an unknown reason.',
  retryable: false,
};

export function finishOf(word: string): FinishReason | Failure {
  const finish = keyOf(FINISHES, word.toLowerCase());
  if (finish !== undefined) return finish;
  const code = keyOf(FAILURES, word.toLowerCase());
  return code === undefined ? UNKNOWN : failure(code);
}

function keyOf<Key extends string>(
  table: Readonly<Record<Key, readonly string[]>>,
  word: string,
): Key | undefined {
  return (Object.keys(table) as Key[]).find((key) => table[key].includes(word));
}
