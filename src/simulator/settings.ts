/** Settings lists what a caller can choose when a simulator starts, with the defaults. */

/**
 * The server whose fields and words the simulator copies when it refuses a field that vLLM takes. `openai-reasoning` is
 * OpenAI's thinking models, which refuse more fields. `wordless` is a gateway that gives no reason; `wordless-ids`
 * refuses token ids alone.
 */
export type StrictServer =
  | 'sglang'
  | 'openai'
  | 'openai-reasoning'
  | 'dynamo'
  | 'transformers'
  | 'wordless'
  | 'wordless-ids';

/** The wording of "the conversation is too long": `old`, `mid`, `new` and `output` are vLLM's own. */
export type ContextErrorWording =
  | 'old'
  | 'mid'
  | 'new'
  | 'output'
  | 'sglang'
  | 'llama.cpp'
  | 'tgi'
  | 'openai';

/**
 * What the server does with a partial assistant message. `honour` continues it, `ignore` begins the answer again, and
 * `refuse` fails as a template that changes the message does. `reason` sends the continuation as reasoning, like a
 * parser that misses the end of the thoughts.
 */
export type Continuation = 'honour' | 'ignore' | 'refuse' | 'reason';

const DEFAULTS = {
  /** Change it only if other machines must reach the simulator, as in a container. */
  host: '127.0.0.1',
  /** 0 takes a free port. */
  port: 0,
  model: 'rehydra/simulator',
  /** Bearer token that /v1 asks for; null or empty asks for none. */
  apiKey: null as string | null,
  maxModelLen: 32_768,
  /** 0 is as fast as possible. */
  tokensPerSecond: 50,
  /** Least tokens of an answer, which ends with its sentence; the fault `tokens` cuts inside a sentence. */
  tokens: 64,
  firstTokenMs: 0,
  /** Tokens per chunk after the first one. */
  streamInterval: 1,
  /** Requests beyond this limit wait; their headers are sent. */
  maxConcurrent: Number.POSITIVE_INFINITY,
  /** The simulator refuses waiting requests beyond this limit with 503 (vLLM's --max-num-queued-reqs). */
  maxQueued: Number.POSITIVE_INFINITY,
  /** False ignores `return_token_ids`. */
  tokenIds: true,
  /** Usage has cached_tokens (vLLM's --enable-prompt-tokens-details). */
  promptTokensDetails: false,
  /** Responses carry X-Request-Id (vLLM's --enable-request-id-headers). */
  requestIdHeaders: false,
  contextErrors: 'new' as ContextErrorWording,
  /** Errors lack the surrounding `error` member, as before August 2025. */
  flatErrors: false,
  /** /metrics uses the names from before vLLM dropped the gpu_ prefix. */
  oldMetricNames: false,
  /** A fixed vllm:kv_cache_usage_perc; null derives it from the running requests. */
  kvCacheUsage: null as number | null,
  /** The template trims white space at the end of a partial assistant message. */
  trimContinuation: false,
  /** A partial assistant message that ends inside a word continues with a new word. */
  retokenise: false,
  continuation: 'honour' as Continuation,
  refuses: null as StrictServer | null,
  /** `owned_by` of the model; another name imitates a server that a client does not know. */
  owner: 'rehydra-simulator',
  /** LoRA adapters of the model; their cards have no limit of their own. */
  loras: [] as readonly string[],
  /** vLLM's Rust front end: model cards without a limit or nulls, error codes that are names. */
  rustFrontEnd: false,
  /** The simulator closes an idle connection after this (VLLM_HTTP_TIMEOUT_KEEP_ALIVE). */
  keepAliveMs: 5_000,
};

export type Settings = Readonly<typeof DEFAULTS>;
export type SimulatorOptions = Partial<Settings>;

export function resolveSettings(options: SimulatorOptions): Settings {
  return { ...DEFAULTS, ...options, apiKey: options.apiKey || null };
}
