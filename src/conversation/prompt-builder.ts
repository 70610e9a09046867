/**
 * The prompt builder of a deployment fits the conversation to the model's window, with token counts from its server.
 *
 * Read next: window/window.ts (which turns the model reads), tokens/tokenizer.ts (how it counts tokens),
 * patient/patient.ts (the data of the patient).
 */
import { readPatient } from './patient/patient.ts';
import type { PromptBuilder, PromptRequest } from './port.ts';
import { loadSystemPrompt } from './system-prompt.ts';
import { createModelLimits, type ModelLimit } from './tokens/model-limits.ts';
import { estimateCounter, type TokenCounter } from './tokens/token-counter.ts';
import { createTokenizeClient } from './tokens/tokenize-client.ts';
import { createTokenizer } from './tokens/tokenizer.ts';
import { parseStrategy, type Strategy } from './window/strategy.ts';
import { readTurns } from './window/turns.ts';
import { chooseWindow } from './window/window.ts';

export interface PromptBuilderOptions {
  /** Each ends in /v1, as for the generator. */
  readonly baseUrls: readonly string[];
  readonly apiKey?: string | null;
  readonly model?: string | null;
  /** Such as `window:20+budget`: see window/strategy.ts. */
  readonly strategy: string;
  /** The operator's prompt, for every session; absent: the bundled one, for sessions with patient data. */
  readonly systemPromptPath?: string | null;
  /** The limit of a prompt with its system message and question; the model's own limit applies too. */
  readonly historyMaxTokens?: number | null;
  readonly defaultMaxTokens: number;
}

/** For a server that does not report how much its model can read. */
const UNKNOWN_MODEL_LEN = 8_192;
/** Below this no useful prompt exists, and the server's refusal explains more than an empty prompt would. */
const MIN_BUDGET_TOKENS = 256;
const SHRINK_FACTOR = 0.75;
/** Below this share of the budget the estimate, which errs upwards, proves that everything fits. */
const SURE_SHARE = 0.5;

/** Throws if the strategy or the system prompt cannot be used. */
export function createPromptBuilder(options: PromptBuilderOptions): PromptBuilder {
  const strategy = parseStrategy(options.strategy);
  const { systemPromptPath = null } = options;
  const systemPrompt = loadSystemPrompt(systemPromptPath);
  const limits = createModelLimits(options);
  const tokenizer = createTokenizer(createTokenizeClient(options));

  return {
    async buildPrompt(request) {
      if (request.shrink > 0) limits.forget(request.contextLimit); // the server refused what its limit allowed
      const limit = await limits.current();
      const budgetTokens = budgetOf(limit, strategy, request, options);
      const { patient } = request.session;
      const hasPrompt = systemPromptPath !== null || Object.keys(patient).length > 0;
      // In one message: the chat templates of many models refuse a second system message.
      const prompts = [hasPrompt ? systemPrompt : null, request.turn.instructions ?? null];
      const prompt = prompts.filter((one) => one !== null).join('\n\n');
      const input = {
        strategy,
        prompt: prompt === '' ? null : prompt,
        picture: readPatient(patient),
        turns: readTurns(request.transcript, request.turn.id),
        currentId: request.turn.id,
        summary: request.summary,
        budgetTokens,
      };
      let counter: TokenCounter = estimateCounter;
      let window = await chooseWindow({ ...input, counter });
      // Far below the limit the estimate decides the same, and a question to the server would delay the first token.
      if (window.promptTokens > budgetTokens * SURE_SHARE) {
        counter = tokenizer.counterFor(limit.model);
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
  { historyMaxTokens = null, defaultMaxTokens }: PromptBuilderOptions,
): number {
  const known = contextLimit === null ? maxModelLen : Math.min(contextLimit, maxModelLen ?? contextLimit);
  const modelLen = known ?? (historyMaxTokens === null ? UNKNOWN_MODEL_LEN : null);
  const answerTokens = turn.options.maxTokens ?? defaultMaxTokens;
  const fits = modelLen === null ? Number.POSITIVE_INFINITY : modelLen - answerTokens - marginOf(modelLen);
  const most = Math.min(
    fits,
    historyMaxTokens ?? Number.POSITIVE_INFINITY,
    strategy.tokensMax ?? Number.POSITIVE_INFINITY,
  );
  return Math.max(MIN_BUDGET_TOKENS, Math.floor(most * SHRINK_FACTOR ** shrink));
}

/** An answer that continues after a failure is measured in characters: its real tokens may be a few more. */
function marginOf(modelLen: number): number {
  return 64 + Math.ceil(modelLen / 100);
}
