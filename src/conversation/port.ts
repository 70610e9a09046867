/** The port between a session and the context window: a session hands over what it knows and gets a prompt back. */
import type { SessionContext, Turn } from '../../machines/vocabulary.ts';
import type { Message } from '../generation/port.ts';
import type { TranscriptEntry } from '../store/contract.ts';

/** An earlier summary by the model, from the transcript. It covers the turns up to and including `through`. */
export interface Summary {
  readonly through: string;
  readonly content: string;
}

export interface PromptRequest {
  readonly session: SessionContext;
  readonly transcript: readonly TranscriptEntry[];
  readonly summary: Summary | null;
  readonly turn: Turn;
  /** How often the model has refused this turn's prompt for its length. */
  readonly shrink: number;
  /** The model's window, if such a refusal named it. */
  readonly contextLimit?: number | null;
}

/** `turn.completed.metadata.window`: which turns the model read whole, as a summary, or not at all. */
export interface WindowReport {
  readonly strategy: string;
  readonly budget_tokens: number;
  readonly prompt_tokens: number;
  readonly counted_by: 'tokenizer' | 'estimate';
  readonly turns_in: readonly string[];
  readonly turns_out: readonly string[];
  readonly turns_summarised: readonly string[];
}

/** The background call that summarises turns. */
export interface SummaryCall {
  /** The last turn that the summary will cover. */
  readonly through: string;
  readonly messages: readonly Message[];
}

export interface BuiltPrompt {
  readonly messages: readonly Message[];
  readonly window: WindowReport;
  /** Turns that fell out of the window, or soon will, and that no summary covers yet. */
  readonly toSummarise: SummaryCall | null;
}

export interface PromptBuilder {
  buildPrompt(request: PromptRequest): Promise<BuiltPrompt>;
}
