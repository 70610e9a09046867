/**
 * refusedFields finds, in the words of a refusal, the fields that the server refuses.
 *
 * The next request omits only fields that this service added. A field of the client or the operator stays: an answer that
 * silently ignores it would be worse than a failure.
 */
import type { UpstreamRefusal } from '../upstream/refusal.ts';

/** `max_tokens` is renamed, not omitted: servers that refuse it know `max_completion_tokens`. */
export type RefusedField =
  | 'session_id'
  | 'return_token_ids'
  | 'continuous_usage_stats'
  | 'stream_options'
  | 'temperature'
  | 'max_tokens';

/** Fields of vLLM that OpenAI lacks: a server that does not know one of them knows none. */
export const EXTENSIONS: readonly RefusedField[] = [
  'session_id',
  'return_token_ids',
  'continuous_usage_stats',
];
const STANDARD: readonly RefusedField[] = ['stream_options', 'temperature', 'max_tokens'];

/** "Unsupported parameter(s)", "Unrecognized request argument", "Unexpected keys", "Extra inputs are not permitted" … */
const UNKNOWN_FIELD =
  /\b(?:unsupported|unrecogni[sz]ed|unknown|unexpected|extra|additional|invalid)\W+(?:request\W+)?(?:param|argument|key|field|input|propert)/i;
const UNSUPPORTED = /not\s+supported|unsupported|only\s.*\b(?:supported|allowed)|max_completion_tokens/i;

export interface SentFields {
  readonly body: Readonly<Record<string, unknown>>;
  /** The client chose the temperature, so it stays. */
  readonly ownsTemperature: boolean;
}

export function sends(body: SentFields['body'], field: RefusedField): boolean {
  const part = field === 'continuous_usage_stats' ? body.stream_options : body;
  return Object.hasOwn((part ?? {}) as object, field);
}

/** Empty if the refusal is about something else. */
export function refusedFields(
  { status, message, param }: Pick<UpstreamRefusal, 'status' | 'message' | 'param'>,
  { body, ownsTemperature }: SentFields,
): ReadonlySet<RefusedField> {
  if (status !== 400 && status !== 422) return new Set();
  const isSent = (field: RefusedField): boolean =>
    sends(body, field) && !(field === 'temperature' && ownsTemperature);
  // `stream_options.continuous_usage_stats` names the part, not the whole.
  const isNamed = (field: RefusedField): boolean =>
    param === field || new RegExp(`\\b${field}\\b(?!\\.\\w)`).test(message);
  const isUnknown = UNKNOWN_FIELD.test(message);
  // A complaint about a value ("temperature must be …") names a field too.
  const standard = isUnknown || UNSUPPORTED.test(message) ? STANDARD.filter(isNamed) : [];
  const extensions = isUnknown && standard.length === 0 ? EXTENSIONS : EXTENSIONS.filter(isNamed);
  return new Set([...extensions, ...standard].filter(isSent));
}
