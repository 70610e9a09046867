/** The conversation as it is, without a window: for tests of everything else. */
import type { PromptBuilder } from '../../../src/conversation/port.ts';
import { messagesOf, readTurns } from '../../../src/conversation/window/turns.ts';

export const wholeConversation: PromptBuilder = {
  buildPrompt({ transcript, turn }) {
    const told = readTurns(transcript, turn.id);
    return Promise.resolve({
      messages: messagesOf(null, told.past, told.question),
      window: {
        strategy: 'whole',
        budget_tokens: 0,
        prompt_tokens: 0,
        counted_by: 'estimate',
        turns_in: told.past.map((past) => past.id),
        turns_out: told.withoutQuestion,
        turns_summarised: [],
      },
      toSummarise: null,
    });
  },
};
