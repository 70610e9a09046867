/**
 * What the model is sent for a turn: the conversation port over a model server that can count.
 *
 * Read next: window/window.ts (what is chosen), token-count.ts (by which count), patient.ts (what is known).
 */

import { readPatient } from './patient/patient.ts';
import type { PromptBuilder, PromptRequest } from './port.ts';
import { loadSystemPrompt } from './system-prompt.ts';
import { createModelLimits, type ModelLimit } from './tokens/model-limit.ts';
import { createTokenizer } from './tokens/token-count.ts';
import { estimateCounter, type TokenCounter } from './tokens/token-counter.ts';
import { createTokenizeClient } from './tokens/tokenize-client.ts';
import { parseStrategy, type Strategy } from './window/strategy.ts';
import { readTurns } from './window/turns.ts';
import { chooseWindow } from './window/window.ts';

export interface PromptBuilderOptions {
  /** Each ends in /v1, as for the generator. */
  readonly baseUrls: readonly string[];
  readonly apiKey?: string;
  readonly model?: string;
  /** Such as `window:20+budget`: see window/strategy.ts. */
  readonly strategy: string;
  /** 'none': nothing is said before the conversation but what is known of the patient. */
  readonly systemPrompt?: 'clinical' | 'none';
  /** Absent: the bundled one. */
  readonly systemPromptPath?: string;
  /** The most that a prompt may have, system message and question included. The model's own limit holds as well. */
  readonly historyMaxTokens?: number;
  readonly defaultMaxTokens: number;
}

/** For a server that does not say how much its model can read. */
const UNKNOWN_MODEL_LEN = 8_192;
/** Below this no useful prompt exists, and the server's refusal says more than an empty prompt would. */
const MIN_BUDGET_TOKENS = 256;
const SHRINK_FACTOR = 0.75;
/** Up to this share of the budget the estimate, which errs upwards, is sure that everything fits. */
const SURE_SHARE = 0.5;

/** Throws if the strategy or the system prompt cannot be used. */
export function createPromptBuilder(options: PromptBuilderOptions): PromptBuilder {
  const strategy = parseStrategy(options.strategy);
  const prompt = options.systemPrompt === 'none' ? null : loadSystemPrompt(options.systemPromptPath);
  const limits = createModelLimits(options);
  const tokenizer = createTokenizer(createTokenizeClient(options));

  return {
    async buildPrompt(request) {
      if (request.shrink > 0) limits.forget(request.contextLimit); // the server refused what its limit allowed
      const limit = await limits.current();
      const budgetTokens = budgetOf(limit, strategy, request, options);
      const input = {
        strategy,
        prompt,
        picture: readPatient(request.session.patient),
        told: readTurns(request.transcript, request.turn.id),
        currentId: request.turn.id,
        summary: request.summary,
        budgetTokens,
      };
      let counter: TokenCounter = estimateCounter;
      let window = await chooseWindow({ ...input, counter });
      // Far from the limit an estimate decides the same, and asking the server would only delay the first token.
      if (window.promptTokens > budgetTokens * SURE_SHARE) {
        counter = tokenizer.open(limit.model);
        window = await chooseWindow({ ...input, counter });
      }
      return {
        messages: window.messages,
        window: {
          strategy: strategy.name,
          budget_tokens: budgetTokens,
          prompt_tokens: window.promptTokens,
          counted_by: counter.by,
          turns_in: window.turnsIn,
          turns_out: window.turnsOut,
          turns_summarised: window.turnsSummarised,
        },
        toSummarise: window.toSummarise,
      };
    },
  };
}

function budgetOf(
  { maxModelLen }: ModelLimit,
  strategy: Strategy,
  { turn, shrink, contextLimit = null }: PromptRequest,
  { historyMaxTokens, defaultMaxTokens }: PromptBuilderOptions,
): number {
  const known = contextLimit === null ? maxModelLen : Math.min(contextLimit, maxModelLen ?? contextLimit);
  const modelLen = known ?? (historyMaxTokens === undefined ? UNKNOWN_MODEL_LEN : null);
  const answerTokens = turn.options.maxTokens ?? defaultMaxTokens;
  const fits = modelLen === null ? Number.POSITIVE_INFINITY : modelLen - answerTokens - marginOf(modelLen);
  const most = Math.min(
    fits,
    historyMaxTokens ?? Number.POSITIVE_INFINITY,
    strategy.tokensMax ?? Number.POSITIVE_INFINITY,
  );
  return Math.max(MIN_BUDGET_TOKENS, Math.floor(most * SHRINK_FACTOR ** shrink));
}

/** An answer that goes on after a failure is counted by its characters: its real tokens may be a few more. */
function marginOf(modelLen: number): number {
  return 64 + Math.ceil(modelLen / 100);
}
