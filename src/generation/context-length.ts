/**
 * Recognises "the conversation is too long". vLLM has worded it in three ways and told nobody when it
 * changed, so the words are matched loosely, and the `param` of newer servers counts as a sign of its own.
 */

const WORDINGS: readonly RegExp[] = [
  // old and new: "This model's maximum context length is N tokens. However, you requested …"
  /maximum\s+context\s+length\s+(?:is|of)\s+[\d,]+/i,
  // mid: "… the model's context length is only N tokens, resulting in a maximum input length of …"
  /context\s+length\s+is\s+(?:only\s+)?[\d,]+/i,
  /maximum\s+input\s+length\s+of\s+-?[\d,]+/i,
  // "max_tokens=X cannot be greater than max_model_len=N"
  /max_(?:completion_)?tokens\s*=?\s*[\d,]+\s+cannot\s+be\s+greater\s+than\s+max_model_len/i,
  // older builds hide the parameter in the text
  /\(parameter=input_(?:tokens|characters|text)\b/i,
];

const PARAMS: ReadonlySet<string> = new Set(['input_tokens', 'input_characters', 'input_text']);

export interface UpstreamRefusal {
  readonly status: number | null;
  readonly message: string;
  readonly param: string | null;
}

export function isContextLengthError(refusal: UpstreamRefusal): boolean {
  if (refusal.status !== null && refusal.status !== 400 && refusal.status !== 413 && refusal.status !== 422) {
    return false;
  }
  if (refusal.param !== null && PARAMS.has(refusal.param)) return true;
  return WORDINGS.some((wording) => wording.test(refusal.message));
}

/** The model's limit where the message tells it, for a caller that wants to shorten and try again. */
export function contextLimitOf(message: string): number | null {
  const match = /(?:context\s+length\s+is\s+(?:only\s+)?|max_model_len\s*=\s*)([\d,]+)/i.exec(message);
  return match?.[1] === undefined ? null : Number(match[1].replaceAll(',', ''));
}
