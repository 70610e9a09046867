/**
 * Faults imitate what a real vLLM, its proxy or its network has done to a client.
 *
 * A request asks for them in the header `x-simulator-fault` or inside its last user message:
 * `[[fault:abort-after=5,times=1]]`. Commas join the faults of one spec. `times` limits the spec to the first N
 * requests of a conversation, so that the following retry or continuation succeeds.
 * The simulator answers an unknown name with 400: a test with a misspelt fault must not pass by luck.
 */
const FAULTS = {
  'headers-ms': 'wait this long before the response headers',
  'first-token-ms': 'send the headers, then wait this long before the first token (instead of the setting)',
  'stall-headers': 'accept the request and never answer',
  'stall-first': 'send the headers, then nothing (a request that stays queued)',
  'stall-after': 'send nothing more after N tokens',
  'pause-after': 'one pause after N tokens, of `pause-ms`',
  'pause-ms': 'length of the pause of `pause-after` (default 200)',
  'abort-after': 'after N tokens finish_reason "abort", as when the engine sleeps or scales down',
  'truncate-after': 'after N tokens the response ends cleanly: no finish_reason, no usage, no [DONE]',
  'reset-after': 'after N tokens the TCP connection is reset',
  'error-after': 'after N tokens an error event, then [DONE]',
  finish: 'end with this finish_reason instead of the true one',
  tokens: 'the answer is exactly N tokens long',
  tps: 'tokens per second; 0 is as fast as possible',
  interval: 'tokens per chunk after the first (stream_interval)',
  'empty-deltas': 'two empty deltas, {} and "", before every chunk',
  'hollow-after': 'after N tokens send only empty deltas',
  reasoning: 'think first: `new` sends delta.reasoning, `old` delta.reasoning_content',
  'text-in': 'send the text as a `refusal`, as `parts` or in a `message`',
  'second-choice': 'a second choice, index 1, after every chunk',
  'empty-finish': 'after the finish a chunk whose finish_reason is ""',
  'last-event': 'no [DONE], and the last event lacks its blank line (`line`) or every line end (`bare`)',
  'open-after-done': 'the body stays open after [DONE]',
  'line-end': 'line end of the stream: `cr` or `crlf`',
  comments: 'a comment and a named event before every event',
  'content-type': 'content type of the stream',
  whole: 'one JSON document although the request asks for a stream',
  page: 'a web page with status 200',
  'lost-ids': 'leave out chunks without text and their ids, as vLLM did before 0.12',
  continuation:
    'treatment of a partial assistant message: `ignore`, `refuse` or `reason` (instead of the setting)',
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

/** A simulator that runs for days must not remember every spec. */
const MAX_COUNTED_SPECS = 10_000;

export type FaultReading =
  | { readonly kind: 'planned'; readonly plan: FaultPlan }
  | { readonly kind: 'unknown'; readonly message: string };

export class FaultBook {
  readonly #used = new Map<string, number>();

  /** The faults of this request; each call counts as one of a spec's `times`. */
  read(conversationKey: string, header: string | undefined, lastUserMessage: string): FaultReading {
    const sources = [
      ...[...lastUserMessage.matchAll(MARKER)].map((match) => match[1] ?? ''),
      ...(header === undefined ? [] : header.split(';')),
    ];
    const specs = sources.map(readSpec);
    const unknown = specs.flatMap((spec) => spec.unknown);
    if (unknown.length > 0) return { kind: 'unknown', message: unknownMessage(unknown) };
    const active = specs.filter((spec) => !this.#isSpent(conversationKey, spec));
    return { kind: 'planned', plan: new Map(active.flatMap((spec) => spec.entries)) };
  }

  #isSpent(conversationKey: string, { source, times }: FaultSpec): boolean {
    if (times === Number.POSITIVE_INFINITY) return false;
    const key = `${conversationKey} ${source}`;
    const count = this.#used.get(key) ?? 0;
    this.#used.set(key, count + 1);
    if (this.#used.size > MAX_COUNTED_SPECS) this.#used.delete(this.#used.keys().next().value ?? key);
    return count >= times;
  }
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

/** The number of a fault, or null if the request does not ask for it. */
export function faultNumber(plan: FaultPlan, name: FaultName): number | null {
  const value = plan.get(name);
  if (value === undefined) return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}
