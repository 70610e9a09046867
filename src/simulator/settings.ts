/** Everything about a simulator that can be chosen when it starts. */

import { type ForeignContextError, isForeignContextError } from './protocol/context-errors.ts';
import type { StrictServer } from './protocol/strict-servers.ts';

/** vLLM's own three, or those of another server. */
export type ContextErrorWording = 'old' | 'mid' | 'new' | ForeignContextError;

export function isContextErrorWording(word: string): word is ContextErrorWording {
  return word === 'old' || word === 'mid' || word === 'new' || isForeignContextError(word);
}

export interface SimulatorOptions {
  /** 127.0.0.1 unless others must reach it, as in a container. */
  readonly host?: string;
  /** 0 takes a free one. */
  readonly port?: number;
  readonly model?: string;
  readonly apiKey?: string;
  readonly maxModelLen?: number;
  /** 0 is as fast as it can. */
  readonly tokensPerSecond?: number;
  /** Length of an answer in tokens; its opening sentence is never cut for it (the fault `tokens` does cut). */
  readonly tokens?: number;
  readonly firstTokenMs?: number;
  /** Tokens per chunk after the first one. */
  readonly streamInterval?: number;
  /** More requests than this wait in silence, their headers already sent. */
  readonly maxConcurrent?: number;
  /** More waiting requests than this are refused with 503 (vLLM's --max-num-queued-reqs). */
  readonly maxQueued?: number;
  /** Whether `return_token_ids` is understood. */
  readonly tokenIds?: boolean;
  /** Usage tells cached_tokens (vLLM's --enable-prompt-tokens-details). */
  readonly promptTokensDetails?: boolean;
  /** X-Request-Id comes back as a header (vLLM's --enable-request-id-headers). */
  readonly requestIdHeaders?: boolean;
  readonly contextErrors?: ContextErrorWording;
  /** Errors have no `error` member around them, as before August 2025. */
  readonly flatErrors?: boolean;
  /** The metric names before the gpu_ prefix was dropped. */
  readonly oldMetricNames?: boolean;
  /** A fixed vllm:kv_cache_usage_perc instead of the one worked out from the running requests. */
  readonly kvCacheUsage?: number;
  /** The template trims the white space at the end of a partial assistant message. */
  readonly trimContinuation?: boolean;
  /** A partial assistant message cut inside a word goes on with a new word. */
  readonly retokenise?: boolean;
  /** What becomes of a partial assistant message. */
  readonly continuation?: Continuation;
  /** Refuses the fields that this server refuses, in its words. */
  readonly refuses?: StrictServer;
  /** `owned_by` of the model: another name stands for a server that a client does not know. */
  readonly owner?: string;
  /** Names of LoRA adapters of the model. Their cards have no limit of their own. */
  readonly loras?: readonly string[];
  /** The Rust front end of vLLM: cards without a limit or nulls, errors with names for numbers. */
  readonly rustFrontEnd?: boolean;
  /** An idle connection is closed after this (VLLM_HTTP_TIMEOUT_KEEP_ALIVE). */
  readonly keepAliveMs?: number;
}

/**
 * `honour`: it is continued · `ignore`: the answer begins again · `refuse`: a template that changes it makes the request
 * fail · `reason`: the whole continuation comes as reasoning, as from a parser that misses the end of the thoughts.
 */
export type Continuation = 'honour' | 'ignore' | 'refuse' | 'reason';

export type Settings = Readonly<Required<Omit<SimulatorOptions, 'apiKey' | 'kvCacheUsage' | 'refuses'>>> & {
  readonly apiKey: string | null;
  readonly kvCacheUsage: number | null;
  readonly refuses: StrictServer | null;
};

const SIMULATOR_OWNER = 'rehydra-simulator';

export function resolveSettings(options: SimulatorOptions): Settings {
  return {
    host: options.host ?? '127.0.0.1',
    port: options.port ?? 0,
    model: options.model ?? 'rehydra/simulator',
    apiKey: options.apiKey === undefined || options.apiKey === '' ? null : options.apiKey,
    maxModelLen: options.maxModelLen ?? 32_768,
    tokensPerSecond: options.tokensPerSecond ?? 50,
    tokens: options.tokens ?? 64,
    firstTokenMs: options.firstTokenMs ?? 0,
    streamInterval: options.streamInterval ?? 1,
    maxConcurrent: options.maxConcurrent ?? Number.POSITIVE_INFINITY,
    maxQueued: options.maxQueued ?? Number.POSITIVE_INFINITY,
    tokenIds: options.tokenIds ?? true,
    promptTokensDetails: options.promptTokensDetails ?? false,
    requestIdHeaders: options.requestIdHeaders ?? false,
    contextErrors: options.contextErrors ?? 'new',
    flatErrors: options.flatErrors ?? false,
    oldMetricNames: options.oldMetricNames ?? false,
    kvCacheUsage: options.kvCacheUsage ?? null,
    trimContinuation: options.trimContinuation ?? false,
    retokenise: options.retokenise ?? false,
    continuation: options.continuation ?? 'honour',
    refuses: options.refuses ?? null,
    owner: options.owner ?? SIMULATOR_OWNER,
    loras: options.loras ?? [],
    rustFrontEnd: options.rustFrontEnd ?? false,
    keepAliveMs: options.keepAliveMs ?? 5_000,
  };
}
