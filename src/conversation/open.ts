/**
 * The conversation of a deployment. The system prompt is for patients: a chat without any gets one only where the
 * operator wrote it.
 */
import type { Config } from '../config/config.ts';
import { createPromptBuilder } from './conversation.ts';
import type { PromptBuilder } from './port.ts';

export function openConversation(
  { conversation, generation }: Pick<Config, 'conversation' | 'generation'>,
  baseUrls: readonly string[],
): PromptBuilder {
  const { model, apiKey, maxTokens } = generation;
  const { strategy, historyMaxTokens, systemPromptPath } = conversation;
  const options = {
    baseUrls,
    ...(model === null ? {} : { model }),
    ...(apiKey === null ? {} : { apiKey }),
    strategy,
    ...(historyMaxTokens === null ? {} : { historyMaxTokens }),
    ...(systemPromptPath === null ? {} : { systemPromptPath }),
    defaultMaxTokens: maxTokens,
  };
  const prompted = createPromptBuilder(options);
  const plain = createPromptBuilder({ ...options, systemPrompt: 'none' });
  return {
    buildPrompt: (request) =>
      systemPromptPath !== null || Object.keys(request.session.patient).length > 0
        ? prompted.buildPrompt(request)
        : plain.buildPrompt(request),
  };
}
