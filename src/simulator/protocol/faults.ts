/**
 * Faults: everything that a real vLLM, its proxy or its network has been seen to do to a client.
 *
 * A request asks for them in the header `x-simulator-fault` or inside its last user message:
 * `[[fault:abort-after=5,times=1]]`. Commas join faults of one spec, `times` limits the spec to the first N
 * requests of the same conversation, so that the retry or continuation that follows succeeds.
 * An unknown name is answered with 400: a test with a misspelt fault must not pass by luck.
 */
const FAULTS = {
  'headers-ms': 'wait this long before the response headers',
  'first-token-ms': 'headers at once, then wait this long before the first token (instead of the setting)',
  'stall-headers': 'accept the request and never answer',
  'stall-first': 'headers at once, then silence (a request that stays queued)',
  'stall-after': 'silence for ever after N tokens',
  'pause-after': 'one pause after N tokens, of `pause-ms`',
  'pause-ms': 'how long the pause of `pause-after` lasts (default 200)',
  'abort-after': 'after N tokens finish_reason "abort", as when the engine sleeps or scales down',
  'truncate-after': 'after N tokens the response ends cleanly: no finish_reason, no usage, no [DONE]',
  'reset-after': 'after N tokens the TCP connection is reset',
  'error-after': 'after N tokens an error event, then [DONE]',
  finish: 'end with this finish_reason instead of the true one',
  tokens: 'the answer is exactly N tokens long',
  tps: 'tokens per second; 0 is as fast as it can',
  interval: 'tokens per chunk after the first (stream_interval)',
  'empty-deltas': 'two empty deltas, {} and "", before every chunk',
  'hollow-after': 'after N tokens empty deltas for ever',
  reasoning: 'think first: `new` sends delta.reasoning, `old` delta.reasoning_content',
  'text-in': 'the words come as a `refusal`, as `parts` or in a `message`',
  'second-choice': 'a second choice, index 1, after every chunk',
  'empty-finish': 'after the finish a chunk whose finish_reason is ""',
  'last-event':
    'there is no [DONE], and the last event lacks its blank line (`line`) or every line end (`bare`)',
  'open-after-done': 'the body stays open after [DONE]',
  'line-end': 'of the stream: `cr` or `crlf`',
  comments: 'a comment and a named event before every event',
  'content-type': 'what the stream is called',
  whole: 'one JSON document, though a stream was asked for',
  page: 'a web page with status 200',
  'lost-ids': 'chunks without text are left out, and their ids with them, as vLLM did before 0.12',
  continuation:
    'what becomes of a partial assistant message: `ignore`, `refuse` or `reason` (instead of the setting)',
  'no-ids': 'ignore return_token_ids, as an older server does',
  'bad-json': 'after N tokens a data line that is not JSON',
  '400': 'a validation error',
  '400-context':
    'the context-length error, worded `old`, `mid`, `new`, `output`, `sglang`, `llama.cpp`, `tgi` or `openai`',
  flat: 'a refusal without its `error` member, as older vLLM and SGLang write it',
  '401': 'unauthorised, with its string body',
  '404': 'the model does not exist',
  '429': 'too many requests, from a gateway in front',
  'retry-after':
    'of a 429 or 503: seconds for the header Retry-After, or `date` for an HTTP date two seconds ahead',
  '500': 'internal server error before the stream begins',
  '502': 'a proxy page in HTML',
  '503': 'admission refused',
} as const;

export type FaultName = keyof typeof FAULTS;
export type FaultPlan = ReadonlyMap<FaultName, string>;

interface FaultSpec {
  readonly source: string;
  readonly entries: readonly (readonly [FaultName, string])[];
  readonly unknown: readonly string[];
  readonly times: number;
}

const MARKER = /\[\[fault:([^\]]*)\]\]/g;

export function stripFaults(text: string): string {
  return text.replace(MARKER, '').trim();
}

/** Unlimited Maps would grow for ever in a simulator that runs for days. */
const MAX_COUNTED_SPECS = 10_000;

export type FaultReading =
  | { readonly kind: 'planned'; readonly plan: FaultPlan }
  | { readonly kind: 'unknown'; readonly message: string };

export interface FaultBook {
  /** The faults of this request; asking counts as one of a spec's `times`. */
  read(conversationKey: string, header: string | undefined, lastUserMessage: string): FaultReading;
}

export function createFaultBook(): FaultBook {
  const used = new Map<string, number>();

  function isSpent(conversationKey: string, spec: FaultSpec): boolean {
    if (spec.times === Number.POSITIVE_INFINITY) return false;
    const key = `${conversationKey} ${spec.source}`;
    const count = used.get(key) ?? 0;
    used.set(key, count + 1);
    if (used.size > MAX_COUNTED_SPECS) used.delete(used.keys().next().value ?? key);
    return count >= spec.times;
  }

  return {
    read(conversationKey, header, lastUserMessage) {
      const sources = [
        ...[...lastUserMessage.matchAll(MARKER)].map((match) => match[1] ?? ''),
        ...(header === undefined ? [] : header.split(';')),
      ];
      const specs = sources.map(readSpec);
      const unknown = specs.flatMap((spec) => spec.unknown);
      if (unknown.length > 0) return { kind: 'unknown', message: unknownMessage(unknown) };
      const active = specs.filter((spec) => !isSpent(conversationKey, spec));
      return { kind: 'planned', plan: new Map(active.flatMap((spec) => spec.entries)) };
    },
  };
}

function readSpec(source: string): FaultSpec {
  let times = Number.POSITIVE_INFINITY;
  const entries: (readonly [FaultName, string])[] = [];
  const unknown: string[] = [];
  for (const part of source.split(',')) {
    const [name = '', value = ''] = part.split('=').map((side) => side.trim());
    if (name === 'times') times = Number(value);
    else if (isFaultName(name)) entries.push([name, value]);
    else unknown.push(name);
  }
  return { source, entries, unknown, times };
}

function isFaultName(name: string): name is FaultName {
  return Object.hasOwn(FAULTS, name);
}

function unknownMessage(names: readonly string[]): string {
  return `Unknown simulator fault "${names.join('", "')}". Known: ${Object.keys(FAULTS).join(', ')}.`;
}

/** The number a fault carries, or null when the fault is not planned. */
export function faultNumber(plan: FaultPlan, name: FaultName): number | null {
  const value = plan.get(name);
  if (value === undefined) return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}
