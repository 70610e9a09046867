/**
 * attempt makes one attempt at one replica: it opens the stream, passes on the deltas and reports how the stream ended.
 *
 * ATTEMPT-1  The attempt passes nothing on after an abort or a timeout.
 * ATTEMPT-2  An answer ends with the first finish_reason. The end of the stream proves nothing: a proxy may have given up.
 * ATTEMPT-3  After finish_reason no error can spoil the answer; the attempt's own count replaces a lost usage chunk.
 * ATTEMPT-4  A stopped attempt settles immediately, whether or not the library notices: after a lost abort (see
 *            upstream.ts, `redirect`) it would block its session for ever.
 * ATTEMPT-5  An answer without text is a failure, unless it only ends a stored answer.
 */
import type { FinishReason, GenerationChunk, GenerationUsage } from '../port.ts';
import { classify, classifyRefusal, type Failure, failure, type RequestPhase } from '../upstream/failure.ts';
import { finishOf } from '../upstream/finish-reason.ts';
import { refusalInStream } from '../upstream/refusal.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { readChunk, type UpstreamChunk } from '../upstream/upstream-chunk.ts';
import type { Watchdog } from '../upstream/watchdog.ts';
import { createTokenIdFilter } from './token-ids.ts';
import type { UpstreamCall } from './upstream-call.ts';

export type AttemptOutcome =
  | {
      readonly kind: 'finished';
      readonly reason: FinishReason;
      readonly usage: GenerationUsage;
      readonly firstTokenMs: number | null;
    }
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'aborted' };

interface Progress {
  finishReason: string | null;
  usage: GenerationUsage | null;
  firstTokenMs: number | null;
  promptTokens: number;
  completionTokens: number;
  hasText: boolean;
  hasReasoning: boolean;
  /** The server sent values, but no part of an answer. */
  isForeign: boolean;
}

export async function attempt(
  upstream: Upstream,
  call: UpstreamCall,
  requestId: string,
  watchdog: Watchdog,
  onChunk: (chunk: GenerationChunk) => void,
): Promise<AttemptOutcome> {
  const startedMs = performance.now();
  const idFilter = createTokenIdFilter(call.idsAreWhole);
  const progress: Progress = {
    finishReason: null,
    usage: null,
    firstTokenMs: null,
    promptTokens: 0,
    completionTokens: 0,
    hasText: false,
    hasReasoning: false,
    isForeign: false,
  };
  let isAnswer = false;
  const end = (thrown: Failure | null): AttemptOutcome => ended(watchdog, progress, call, thrown);

  const passOn = (chunk: UpstreamChunk): void => {
    const ids = idFilter.take(chunk);
    const text = call.overlap.strip(chunk.text);
    if (text === '' && chunk.reasoning === '') return;
    progress.firstTokenMs ??= performance.now() - startedMs;
    progress.hasText ||= text.trim() !== '';
    progress.hasReasoning ||= chunk.reasoning !== '';
    // A continuation's prompt holds the stored answer; the turn's own prompt is stored with its first part.
    const { promptTokenIds: _, ...idsOnly } = ids;
    const kept = call.prefixTokens > 0 ? idsOnly : ids;
    onChunk({ text, ...(chunk.reasoning === '' ? {} : { reasoning: chunk.reasoning }), ...kept });
  };

  const run = async (): Promise<AttemptOutcome> => {
    const opened = await tried(upstream.stream(call, requestId, watchdog.signal), 'before-stream');
    if (opened.kind === 'failed') return end(opened.failure);
    const values = opened.value[Symbol.asyncIterator]();
    for (;;) {
      const next = await tried(values.next(), 'in-stream');
      if (next.kind === 'failed') return end(next.failure);
      if (watchdog.cause !== null || next.value.done === true) return end(null); // ATTEMPT-1
      const { value } = next.value;
      const refusal = refusalInStream(value);
      if (refusal !== null) return end(classifyRefusal(refusal));
      const chunk = readChunk(call.api, value);
      isAnswer ||= chunk.isAnswer || chunk.usage !== null;
      progress.isForeign = !isAnswer;
      if (chunk.text !== '' || chunk.reasoning !== '' || (chunk.tokenIds?.length ?? 0) > 0)
        watchdog.sawText();
      note(progress, chunk);
      if (progress.finishReason !== null) watchdog.sawFinish();
      if (chunk.isWhole && progress.hasText) continue;
      passOn(chunk);
    }
  };
  return await Promise.race([run(), watchdog.stopped.then(() => end(null))]); // ATTEMPT-4
}

type Step<Value> =
  | { readonly kind: 'done'; readonly value: Value }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** The only `try` around the network: a bug in `onChunk` must not count as a failure of the server. */
async function tried<Value>(work: Promise<Value>, phase: RequestPhase): Promise<Step<Value>> {
  try {
    return { kind: 'done', value: await work };
  } catch (error) {
    return { kind: 'failed', failure: classify(error, phase) };
  }
}

function note(progress: Progress, chunk: UpstreamChunk): void {
  progress.finishReason ??= chunk.finishReason;
  progress.usage = chunk.usage ?? progress.usage;
  progress.promptTokens = chunk.promptTokenIds?.length ?? progress.promptTokens;
  progress.completionTokens += chunk.tokenIds?.length ?? (chunk.text === '' ? 0 : 1);
}

function ended(
  watchdog: Watchdog,
  progress: Progress,
  call: UpstreamCall,
  thrown: Failure | null,
): AttemptOutcome {
  if (watchdog.cause === 'client') return { kind: 'aborted' };
  const { finishReason, firstTokenMs } = progress; // ATTEMPT-2
  if (finishReason === null) return { kind: 'failed', failure: whyUnfinished(watchdog, progress, thrown) };
  const finish = finishOf(finishReason);
  if (typeof finish !== 'string') return { kind: 'failed', failure: finish };
  if (isEmpty(progress, call)) return { kind: 'failed', failure: failure('upstream_empty') }; // ATTEMPT-5
  return { kind: 'finished', reason: finish, usage: turnUsage(progress, call), firstTokenMs }; // ATTEMPT-3
}

function whyUnfinished(watchdog: Watchdog, progress: Progress, thrown: Failure | null): Failure {
  if (watchdog.cause !== null && watchdog.cause !== 'client') return failure(watchdog.cause);
  if (thrown !== null) return thrown;
  return failure(progress.isForeign ? 'upstream_incompatible' : 'upstream_truncated');
}

/** A stored answer may lack only its end, so its continuation may be empty. One that only reasons is a failure. */
function isEmpty(progress: Progress, call: UpstreamCall): boolean {
  return !progress.hasText && (call.prefixTokens === 0 || progress.hasReasoning);
}

/** The usage of the turn, not of the call: the stored part counts as answer, whichever replica generated it. */
function turnUsage(progress: Progress, call: UpstreamCall): GenerationUsage {
  const counted = { prompt_tokens: progress.promptTokens, completion_tokens: progress.completionTokens };
  const usage = progress.usage ?? counted;
  return {
    ...usage,
    prompt_tokens: Math.max(0, usage.prompt_tokens - call.prefixTokens),
    completion_tokens: usage.completion_tokens + call.prefixTokens,
  };
}
