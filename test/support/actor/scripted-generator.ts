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
