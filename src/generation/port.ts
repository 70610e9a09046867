/**
 * The port between a session and whatever produces its answers.
 *
 * A session knows these types and nothing of HTTP, replicas or vLLM. The promise of the port:
 * P1  `onChunk` is called synchronously per delta, never after the promise settled, never after the signal fired.
 * P2  `generate` rejects only for bugs in our own code; everything the network can do is a `GenerationResult`.
 * P3  `completed` is said only when the server said why it finished; a silent end is `upstream_truncated`.
 * P4  The text of a turn is `prefix.text` plus every chunk's text, with no gap and no repeat. Where that cannot be had,
 *     the result is `restart`, and no chunk came before it.
 */

export type Role = 'system' | 'user' | 'assistant';

export interface Message {
  readonly role: Role;
  readonly content: string;
}

/**
 * What is stored of a turn already: the text, and the ids where the server gave them for all of it. The text is empty
 * where the model has only thought so far.
 */
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
  /** The replica that just failed; used again only when there is no other. */
  readonly avoidReplica?: string;
  /** The replica of the last attempt: its prefix cache is warm. A hint, not an order. */
  readonly preferReplica?: string;
}

export interface GenerationChunk {
  readonly text: string;
  readonly reasoning?: string;
  readonly tokenIds?: readonly number[];
  readonly promptTokenIds?: readonly number[];
  /** A simulator said it: every reader of the text has to know. */
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
  /** Our own words: never a sentence of the upstream, which may quote the prompt. */
  readonly message: string;
  readonly retryable: boolean;
  readonly replica: string | null;
  /** The shortest wait before the next attempt, where every usable replica asked for one. */
  readonly retryAfterMs?: number;
  /** The model's window, where a refusal for its length told it. */
  readonly contextLimit?: number;
}

/** The prefix cannot be continued here: clear it, tell the clients, and ask again without one. */
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
  /** onChunk is called synchronously for each delta, never after the promise settled nor after the signal fired. */
  generate(
    request: GenerationRequest,
    onChunk: (chunk: GenerationChunk) => void,
    signal: AbortSignal,
  ): Promise<GenerationResult>;
  close(): Promise<void>;
}
