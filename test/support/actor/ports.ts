/** A session's ports as a test fills them: a generator that the test moves, a prompt without a window, a watched store. */
import { setImmediate } from 'node:timers/promises';
import type { PromptBuilder } from '../../../src/conversation/port.ts';
import { messagesOf, readTurns } from '../../../src/conversation/window/turns.ts';
import type {
  GenerationChunk,
  GenerationRequest,
  GenerationResult,
  Generator,
} from '../../../src/generation/port.ts';
import type { Store } from '../../../src/store/contract.ts';

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
          if (over) throw new Error(`turn ${request.turnId} has ended and generates nothing more`);
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
      messages: messagesOf(turn.instructions ?? null, told.past, told.question),
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

export interface WatchedStore {
  readonly store: Store;
  /** Names of the store's calls so far. */
  readonly calls: readonly string[];
  /** Waits until no call is pending, so that a test acts on a session at rest; no time passes. */
  settle(): Promise<void>;
}

/** Turns of the event loop without a call before the store counts as quiet: an answer may cause the next call. */
const QUIET_TURNS = 3;

/** Records the store's calls, and whether one is pending. */
export function watchStore(watched: Store): WatchedStore {
  const calls: string[] = [];
  let pending = 0;
  const store = new Proxy(watched, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...args: readonly unknown[]): unknown => {
        calls.push(String(name));
        const result: unknown = Reflect.apply(value, target, args);
        if (!(result instanceof Promise)) return result;
        pending += 1;
        return result.finally(() => {
          pending -= 1;
        });
      };
    },
  });
  const settle = async (): Promise<void> => {
    for (let quiet = 0; quiet < QUIET_TURNS; ) {
      await setImmediate();
      quiet = pending === 0 ? quiet + 1 : 0;
    }
  };
  return { store, calls, settle };
}
