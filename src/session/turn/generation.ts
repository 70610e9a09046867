/**
 * startGeneration runs one generation: it builds the prompt, calls the generator and passes on the chunks.
 *
 *  GEN-1  After `stop()` the run passes on neither a chunk nor a result.
 *  GEN-2  A run that was not stopped passes on exactly one result, even if a callee throws.
 *  GEN-3  The run confirms the lease right before it calls the model: building a prompt takes time, and the process may
 *         have been frozen meanwhile.
 *  GEN-4  If the model refuses a prompt as too long, the run builds a shorter one; no text of the answer exists yet.
 *  GEN-5  A run that had nothing to continue never starts over: such a turn would never end.
 */
import type { GenerationError, GenerationOutput, Question, Turn } from '../../../machines/vocabulary.ts';
import type { BuiltPrompt, WindowReport } from '../../conversation/port.ts';
import type {
  GenerationChunk,
  GenerationPrefix,
  GenerationResult,
  Generator,
} from '../../generation/port.ts';
import type { StepEvent } from '../machine/step.ts';
import { costOf } from './cost.ts';

export interface RunRequest {
  readonly sessionId: string;
  readonly turn: Turn;
  readonly lastReplica: string | null;
  readonly prefix: GenerationPrefix | null;
  /**
   * The conversation up to and with the turn's question. `shrink` counts the model's refusals of its length;
   * `contextLimit` is the model's window in tokens, where a refusal named it.
   */
  readonly buildPrompt: (shrink: number, contextLimit: number | null) => Promise<BuiltPrompt>;
  /** The turn's question, which `turn.started` repeats when the answer starts over. */
  readonly question: () => Promise<Question>;
  readonly confirmLease: () => Promise<void>;
  /** Called for each call of the model with the tokens that it cost, even after `stop`. */
  readonly spent: (tokens: number) => void;
}

export type RunResult =
  | {
      readonly kind: 'completed';
      readonly output: GenerationOutput;
      readonly toSummarise: BuiltPrompt['toSummarise'];
    }
  | { readonly kind: 'failed'; readonly error: GenerationError };

export interface GenerationRun {
  readonly key: string;
  stop(): void;
}

/** After this many refusals the prompt cannot become shorter. */
const SHRINKS_MAX = 3;
/** Without a reason of its own, each abort would build an exception with a stack trace, and every turn ends with one. */
const STOPPED = 'stopped';
/** Turns that each list of a report names; its counts cover all turns. */
const REPORTED_MAX = 32;

export function startGeneration(
  key: string,
  request: RunRequest,
  generator: Generator,
  onChunk: (chunk: GenerationChunk) => void,
  onResult: (result: RunResult) => void,
): GenerationRun {
  const abort = new AbortController();
  const finish = (result: RunResult) => {
    if (!abort.signal.aborted) onResult(result);
  };
  drive(request, generator, abort.signal, (chunk) => {
    if (!abort.signal.aborted) onChunk(chunk);
  }).then(finish, () => finish(failed('internal', true, null)));
  return { key, stop: () => abort.abort(STOPPED) };
}

/** The machine event that carries the result. */
export function eventOf(result: RunResult, at: number): StepEvent {
  return result.kind === 'completed'
    ? { type: 'xstate.done.actor.generation', at, output: result.output }
    : { type: 'xstate.error.actor.generation', at, error: result.error };
}

async function drive(
  request: RunRequest,
  generator: Generator,
  signal: AbortSignal,
  onChunk: (chunk: GenerationChunk) => void,
): Promise<RunResult> {
  let contextLimit: number | null = null;
  for (let shrink = 0; ; shrink++) {
    let view: BuiltPrompt;
    try {
      view = await request.buildPrompt(shrink, contextLimit);
    } catch {
      return failed('store_unavailable', true, null);
    }
    await request.confirmLease();
    if (signal.aborted) return failed('internal', false, null);
    const result = await ask(request, view, generator, signal, onChunk);
    if (result.kind === 'completed') {
      const { kind: _, ...output } = result;
      return {
        kind: 'completed',
        output: { ...output, window: shortReport(view.window) },
        toSummarise: view.toSummarise,
      };
    }
    if (result.kind === 'aborted') return failed('upstream_aborted', true, null);
    if (result.kind === 'restart') return await restarted(request, result.replica);
    if (result.code !== 'context_length_exceeded' || shrink === SHRINKS_MAX)
      return failed(result.code, result.retryable, result.replica, result.retryAfterMs);
    contextLimit = result.contextLimit ?? contextLimit;
  }
}

async function ask(
  { sessionId, turn, lastReplica, prefix, spent }: RunRequest,
  view: BuiltPrompt,
  generator: Generator,
  signal: AbortSignal,
  onChunk: (chunk: GenerationChunk) => void,
): Promise<GenerationResult> {
  let written = 0;
  const result = await generator.generate(
    {
      sessionId,
      turnId: turn.id,
      attempt: turn.attempt,
      messages: view.messages,
      prefix,
      options: turn.options,
      ...(turn.failedReplica === null ? {} : { avoidReplica: turn.failedReplica }),
      ...(lastReplica === null ? {} : { preferReplica: lastReplica }),
    },
    (chunk) => {
      written += chunk.tokenIds?.length ?? 1;
      onChunk(chunk);
    },
    signal,
  );
  spent(costOf(result, view.window.prompt_tokens, written));
  return result;
}

/** A report that named every turn would make the log of a long conversation grow with the square of its length. */
function shortReport(report: WindowReport): Readonly<Record<string, unknown>> {
  const { turns_in, turns_out, turns_summarised, ...rest } = report;
  return {
    ...rest,
    turns_in: turns_in.slice(-REPORTED_MAX),
    turns_out: turns_out.slice(-REPORTED_MAX),
    turns_summarised: turns_summarised.slice(-REPORTED_MAX),
    turns_in_count: turns_in.length,
    turns_out_count: turns_out.length,
    turns_summarised_count: turns_summarised.length,
  };
}

async function restarted({ prefix, question }: RunRequest, replica: string): Promise<RunResult> {
  if (prefix === null) return failed('internal', false, replica); // GEN-5
  let startOver: Question;
  try {
    startOver = await question();
  } catch {
    return failed('store_unavailable', true, null);
  }
  return { kind: 'failed', error: { code: 'upstream_rejected', retryable: true, replica, startOver } };
}

function failed(code: string, retryable: boolean, replica: string | null, retryAfterMs?: number): RunResult {
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  return { kind: 'failed', error: { code, retryable, replica, ...wait } };
}
