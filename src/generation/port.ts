/**
 * port defines the interface between a session and its generator. A session knows nothing of HTTP, replicas or vLLM.
 *
 * GENERATOR-1  `onChunk` runs synchronously per delta, never after the promise settled or the signal fired.
 * GENERATOR-2  `generate` rejects only for bugs of this service; every network failure is a `GenerationResult`.
 * GENERATOR-3  `completed` needs a finish reason from the server; a silent end is `upstream_truncated`.
 * GENERATOR-4  The text of a turn is `prefix.text` plus every chunk's text, with no gap and no repeat. If that is
 *              impossible, the result is `restart`, and no chunk comes before it.
 */

export type Role = 'system' | 'user' | 'assistant';

export interface Message {
  readonly role: Role;
  readonly content: string;
}

/** The stored part of an answer, with ids if the server sent them for all of it. The text is '' while the model has only reasoned. */
export interface GenerationPrefix {
  readonly text: string;
  readonly tokenIds: readonly number[] | null;
  readonly promptTokenIds: readonly number[] | null;
}

export interface GenerationOptions {
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly stop?: readonly string[];
}

export interface GenerationRequest {
  readonly sessionId: string;
  /** The generation's identity; X-Request-Id begins with `${turnId}-${attempt}`. */
  readonly turnId: string;
  readonly attempt: number;
  readonly messages: readonly Message[];
  readonly prefix: GenerationPrefix | null;
  readonly options: GenerationOptions;
  /** The replica that just failed: chosen only if no other is usable. */
  readonly avoidReplica?: string;
  /** The replica of the last attempt: its prefix cache is warm. A hint, not an order. */
  readonly preferReplica?: string;
}

export interface GenerationChunk {
  readonly text: string;
  readonly reasoning?: string;
  readonly tokenIds?: readonly number[];
  readonly promptTokenIds?: readonly number[];
  /** The simulator wrote this text, which means nothing: clients must be able to see that. */
  readonly simulated?: boolean;
}

export interface GenerationUsage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly cached_tokens?: number;
}

export type FinishReason = 'stop' | 'length' | 'tool_calls';

export type GenerationFailureCode =
  | 'first_token_timeout'
  | 'inter_token_timeout'
  | 'total_timeout'
  | 'upstream_truncated'
  | 'upstream_aborted'
  | 'upstream_error'
  | 'upstream_unavailable'
  | 'upstream_rejected'
  | 'upstream_empty'
  | 'upstream_incompatible'
  | 'content_filtered'
  | 'context_length_exceeded'
  | 'model_not_found'
  | 'upstream_unauthorized';

export interface GenerationCompleted {
  readonly kind: 'completed';
  readonly finishReason: FinishReason;
  readonly usage: GenerationUsage;
  readonly model: string;
  readonly replica: string;
  readonly firstTokenMs: number | null;
  readonly totalMs: number;
  readonly temperature: number;
  readonly maxTokens: number;
  readonly simulated: boolean;
}

export interface GenerationFailed {
  readonly kind: 'failed';
  readonly code: GenerationFailureCode;
  /** Never the server's words: they may quote the prompt. */
  readonly message: string;
  readonly retryable: boolean;
  readonly replica: string | null;
  /** The shortest wait before the next attempt, if every usable replica asked for one. */
  readonly retryAfterMs?: number;
  /** The model's window, if a refusal for its length named it. */
  readonly contextLimit?: number;
}

/** This server cannot continue the prefix: clear it, inform the clients, and generate again without one. */
export interface GenerationRestart {
  readonly kind: 'restart';
  readonly replica: string;
}

export type GenerationResult =
  | GenerationCompleted
  | GenerationFailed
  | GenerationRestart
  | { readonly kind: 'aborted' };

export interface Generator {
  generate(
    request: GenerationRequest,
    onChunk: (chunk: GenerationChunk) => void,
    signal: AbortSignal,
  ): Promise<GenerationResult>;
  close(): Promise<void>;
}
