/** Reads VLLM_EXTRA_BODY: fields that an operator adds to every generation request, as a JSON object. */

export type ExtraBody = Readonly<Record<string, unknown>>;

export type ParsedExtraBody =
  | { readonly kind: 'parsed'; readonly body: ExtraBody }
  | { readonly kind: 'wrong'; readonly why: string };

/** Each of these is worked out per request: a fixed value would answer another question, or break a continuation. */
const OWN_FIELDS: readonly string[] = [
  'model',
  'messages',
  'prompt',
  'stream',
  'stream_options',
  'n',
  'stop',
  'temperature',
  'max_tokens',
  'max_completion_tokens',
  'session_id',
  'return_token_ids',
  'continue_final_message',
  'add_generation_prompt',
  'echo',
];

export function parseExtraBody(text: string): ParsedExtraBody {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: 'wrong', why: 'is not JSON' };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { kind: 'wrong', why: 'is not a JSON object' };
  const own = OWN_FIELDS.filter((field) => Object.hasOwn(value, field));
  if (own.length > 0) return { kind: 'wrong', why: `may not set ${own.join(', ')}` };
  return { kind: 'parsed', body: value as ExtraBody };
}
