/** The ports of a session as a test fills them: a generator that the test moves, and a prompt without a window. */
import type { PromptBuilder } from '../../../src/conversation/port.ts';
import { messagesOf, readTurns } from '../../../src/conversation/window/turns.ts';
import type {
  GenerationChunk,
  GenerationRequest,
  GenerationResult,
  Generator,
} from '../../../src/generation/port.ts';

/** One call of `generate`, which waits until the test moves it. */
export interface ScriptedRun {
  readonly request: GenerationRequest;
  readonly over: boolean;
  say(chunk: GenerationChunk): void;
  end(result: GenerationResult): void;
}

/** A generator that the test scripts. It keeps the promises of its port: nothing after the end or an abort. */
export class ScriptedGenerator implements Generator {
  readonly runs: ScriptedRun[] = [];

  /** The current run. */
  get running(): ScriptedRun | null {
    return this.runs.findLast((run) => !run.over) ?? null;
  }

  generate(
    request: GenerationRequest,
    onChunk: (chunk: GenerationChunk) => void,
    signal: AbortSignal,
  ): Promise<GenerationResult> {
    return new Promise((resolve) => {
      let over = false;
      const end = (result: GenerationResult) => {
        over = true;
        resolve(result);
      };
      signal.addEventListener('abort', () => end({ kind: 'aborted' }), { once: true });
      this.runs.push({
        request,
        get over() {
          return over;
        },
        say(chunk) {
          if (over) throw new Error(`turn ${request.turnId} is over, it says nothing more`);
          onChunk(chunk);
        },
        end,
      });
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Builds the prompt from the whole conversation. */
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
