/**
 * What the model is sent for a turn, and why: the port between a session and the context window.
 *
 * A session hands over all it knows; what comes back is the messages and a report of what was in, out and summarised.
 */
import type { SessionContext, Turn } from '../../machines/vocabulary.ts';
import type { Message } from '../generation/port.ts';
import type { TranscriptEntry } from '../store/contract.ts';

/** A summary of the turns up to and with `through`, made earlier by the model and stored in the transcript. */
export interface Summary {
  readonly through: string;
  readonly content: string;
}

export interface PromptRequest {
  readonly session: SessionContext;
  readonly transcript: readonly TranscriptEntry[];
  readonly summary: Summary | null;
  readonly turn: Turn;
  /** 0 at first; each context-length refusal by the model asks again with one more. */
  readonly shrink: number;
  /** The model's window as such a refusal told it; null or absent where none did. */
  readonly contextLimit?: number | null;
}

/** Said in `turn.completed.metadata.window`: which turns the model read whole, as a summary, or not at all. */
export interface WindowReport {
  readonly strategy: string;
  readonly budget_tokens: number;
  readonly prompt_tokens: number;
  readonly counted_by: 'tokenizer' | 'estimate';
  readonly turns_in: readonly string[];
  readonly turns_out: readonly string[];
  readonly turns_summarised: readonly string[];
}

export interface BuiltPrompt {
  readonly messages: readonly Message[];
  readonly window: WindowReport;
  /**
   * Turns that fell out, or soon will, and that no summary covers yet: the session may have them summarised in the
   * background.
   */
  readonly toSummarise: { readonly through: string; readonly messages: readonly Message[] } | null;
}

export interface PromptBuilder {
  buildPrompt(request: PromptRequest): Promise<BuiltPrompt>;
}
