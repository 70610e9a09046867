/**
 * Recognises the refusal "the conversation is too long for the model", and reads the model's window from it.
 *
 * Servers change their words without notice, so names and parameters count as well. A wording with a number matches only
 * with the number: a patient's question about "context length" must not look like a refusal.
 */
import type { UpstreamRefusal } from './refusal.ts';

const NUMBER = String.raw`\(?(-?\d[\d,]*)`;

/** Each captures the window if the words name it. */
const WORDINGS: readonly RegExp[] = [
  // vLLM, OpenAI, SGLang, TensorRT-LLM: "maximum context length is 4096 tokens", "… of 4096 tokens", "… (4096)"
  pattern(`maximum\\s+context\\s+(?:length|limit|window)\\s+(?:(?:is|of)\\s+)?(?:only\\s+)?${NUMBER}`),
  // vLLM 0.15 to 0.17: "the model's context length is only 4096 tokens"
  pattern(`context\\s+length\\s+is\\s+(?:only\\s+)?${NUMBER}`),
  // SGLang: "The input (5000 tokens) is longer than the model's context length (4096 tokens)."
  pattern(`(?:longer|greater|larger)\\s+than\\s+the\\s+(?:model's\\s+)?context\\s+length(?:\\s+${NUMBER})?`),
  // vLLM V1: "The decoder prompt (length 5000) is longer than the maximum model length of 4096."
  pattern(`longer\\s+than\\s+the\\s+maximum\\s+model\\s+length\\s+of\\s+${NUMBER}`),
  pattern(`model\\s+maximum\\s+context\\s+length:\\s+${NUMBER}`),
  // vLLM: "max_tokens=5000 cannot be greater than max_model_len=4096", its spaces, commas and names vary
  pattern(
    `(?:max(?:_completion)?_tokens\\s*[=:]?\\s*[\\d,]+)\\s*cannot\\s+be\\s+greater\\s+than\\s+` +
      `(?:max_(?:model_len|total_tokens)\\s*=\\s*)+${NUMBER}`,
  ),
  // llama.cpp: "request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it"
  pattern(`exceeds?\\s+the\\s+available\\s+context\\s+size(?:\\s+${NUMBER})?`),
  // TGI: "`inputs` tokens + `max_new_tokens` must be <= 4096", "`inputs` must have less than 4096 tokens"
  pattern(`\`inputs\`\\s+tokens\\s+\\+\\s+\`max_new_tokens\`\\s+must\\s+be\\s+<=\\s+${NUMBER}`),
  pattern(`\`inputs\`\\s+must\\s+have\\s+less\\s+than\\s+${NUMBER}`),
  // Mistral, Anthropic, TensorRT-LLM's older builds
  pattern(`too\\s+large\\s+for\\s+model\\s+with\\s+${NUMBER}`),
  pattern(`prompt\\s+is\\s+too\\s+long:\\s+[\\d,]+\\s+tokens\\s+>\\s+${NUMBER}`),
  pattern(
    `exceeds?\\s+(?:the\\s+)?max(?:imum)?[\\s_]+(?:sequence\\s+length|seq_len|num_tokens)\\s*${NUMBER}`,
  ),
  // transformers: "Input length of input_ids is 5000, but `max_length` is set to 4096"
  pattern(
    `input\\s+length\\s+of\\s+input_ids\\s+is\\s+[\\d,]+,\\s+but\\s+.max_length.\\s+is\\s+set\\s+to\\s+${NUMBER}`,
  ),
  pattern(`maximum\\s+sequence\\s+length\\s+for\\s+this\\s+model\\s+\\([\\d,]+\\s+>\\s+${NUMBER}`),
  // The limit of the input alone is not the window
  pattern('maximum\\s+input\\s+length\\s+of\\s+-?[\\d,]+'),
  pattern('(?:exceeds?|beyond)\\s+(?:the\\s+)?(?:model.s\\s+)?(?:maximum\\s+)?context\\s+(?:length|window)'),
  // Some versions of vLLM put the parameter into the words
  pattern('\\(parameter=input_(?:tokens|characters|text)\\b'),
];

/** The error's name in `code` or `type`. */
const NAMES: ReadonlySet<string> = new Set([
  'context_length_exceeded', // OpenAI
  'exceed_context_size_error', // llama.cpp
  'contextwindowexceedederror', // LiteLLM
]);
/** vLLM's parameter, which outlives its words. */
const PARAMS: ReadonlySet<string> = new Set(['input_tokens', 'input_characters', 'input_text']);
/** Other statuses mean other failures: a 500 whose words mention context is a crash. */
const STATUSES: ReadonlySet<number> = new Set([400, 413, 422]);

export function isContextLengthError(refusal: UpstreamRefusal): boolean {
  if (refusal.status !== null && !STATUSES.has(refusal.status)) return false;
  if (refusal.names.some((name) => NAMES.has(name.toLowerCase()))) return true;
  if (refusal.param !== null && PARAMS.has(refusal.param)) return true;
  return WORDINGS.some((wording) => wording.test(refusal.message));
}

/** The model's window, or null if the refusal does not name it. */
export function contextLimitOf({ contextLimit, message }: UpstreamRefusal): number | null {
  if (contextLimit !== null) return contextLimit;
  for (const wording of WORDINGS) {
    const limit = Number(wording.exec(message)?.[1]?.replaceAll(',', ''));
    if (limit > 0) return limit;
  }
  return null;
}

function pattern(source: string): RegExp {
  return new RegExp(source, 'i');
}
