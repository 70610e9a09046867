/**
 * One attempt at one replica: open the stream, hand its deltas on, say how it ended.
 *
 * A1  Nothing is handed on once the watchdog has stopped: not after an abort, not after a timeout.
 * A2  The end is the first finish_reason that the server gave. A stream that merely ends says nothing: it
 *     does so when a proxy gives up, too.
 * A3  After finish_reason nothing can spoil the answer any more; a lost usage chunk is made up for by counting.
 * A4  A stopped attempt settles at once, whether or not the library hears of it: one whose abort was lost
 *     (see upstream.ts, `redirect`) would hold its session for ever.
 * A5  An answer without a word is a failure, unless it only ends what was stored before.
 */

import type { FinishReason, GenerationChunk, GenerationUsage } from '../port.ts';
import { classify, classifyRefusal, type Failure, failure, unknownFinish } from '../upstream/failure.ts';
import { meaningOf } from '../upstream/finish-reason.ts';
import { refusalInStream } from '../upstream/refusal.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { UpstreamCall } from '../upstream/upstream-call.ts';
import { readChunk, type UpstreamChunk } from '../upstream/upstream-chunk.ts';
import type { Watchdog } from '../upstream/watchdog.ts';
import { createTokenIds } from './token-ids.ts';

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
  /** Values came, and none of them was a part of an answer. */
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
  const trail = createTokenIds(call.idsAreWhole);
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

  const handOn = (chunk: UpstreamChunk): void => {
    const ids = trail.follow(chunk);
    const text = call.seam.pass(chunk.text);
    if (text === '' && chunk.reasoning === '') return;
    progress.firstTokenMs ??= performance.now() - startedMs;
    progress.hasText ||= text.trim() !== '';
    progress.hasReasoning ||= chunk.reasoning !== '';
    // A continuation's prompt holds the stored answer; the turn's own prompt is stored with its first part.
    const { promptTokenIds: _, ...idsOnly } = ids;
    const told = call.prefixTokens > 0 ? idsOnly : ids;
    onChunk({ text, ...(chunk.reasoning === '' ? {} : { reasoning: chunk.reasoning }), ...told });
  };

  const follow = async (): Promise<AttemptOutcome> => {
    const opened = await open(upstream, call, requestId, watchdog);
    if (opened.kind === 'failed') return ended(watchdog, progress, call, opened.failure);
    for (;;) {
      const next = await pull(opened.stream);
      if (next.kind === 'failed') return ended(watchdog, progress, call, next.failure);
      if (watchdog.cause !== null) return ended(watchdog, progress, call, null); // A1
      if (next.kind === 'end') return ended(watchdog, progress, call, null);
      const refusal = refusalInStream(next.value);
      if (refusal !== null) return ended(watchdog, progress, call, classifyRefusal(refusal));
      const chunk = readChunk(call.api, next.value);
      isAnswer ||= chunk.isAnswer || chunk.usage !== null;
      progress.isForeign = !isAnswer;
      if (chunk.text !== '' || chunk.reasoning !== '' || (chunk.tokenIds?.length ?? 0) > 0) watchdog.heard();
      note(progress, chunk);
      if (progress.finishReason !== null) watchdog.finished();
      if (chunk.isWhole && progress.hasText) continue;
      handOn(chunk);
    }
  };
  return await Promise.race([follow(), watchdog.stopped.then(() => ended(watchdog, progress, call, null))]); // A4
}

type Opened =
  | { readonly kind: 'opened'; readonly stream: AsyncIterator<unknown> }
  | { readonly kind: 'failed'; readonly failure: Failure };

async function open(
  upstream: Upstream,
  call: UpstreamCall,
  requestId: string,
  watchdog: Watchdog,
): Promise<Opened> {
  try {
    const stream = await upstream.stream(call, requestId, watchdog.signal);
    return { kind: 'opened', stream: stream[Symbol.asyncIterator]() };
  } catch (error) {
    return { kind: 'failed', failure: classify(error, 'before-stream') };
  }
}

type Pulled =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'end' }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** The only `try` around the network, so that a bug in `onChunk` is thrown as one and not called a failure. */
async function pull(stream: AsyncIterator<unknown>): Promise<Pulled> {
  try {
    const { done, value } = await stream.next();
    return done === true ? { kind: 'end' } : { kind: 'value', value };
  } catch (error) {
    return { kind: 'failed', failure: classify(error, 'in-stream') };
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
  const said = progress.finishReason; // A2
  if (said === null) return { kind: 'failed', failure: whyUnfinished(watchdog, progress, thrown) };
  const meaning = meaningOf(said);
  switch (meaning.kind) {
    case 'finished': {
      if (isEmpty(progress, call)) return { kind: 'failed', failure: failure('upstream_empty') }; // A5
      const { firstTokenMs } = progress;
      return { kind: 'finished', reason: meaning.reason, usage: turnUsage(progress, call), firstTokenMs }; // A3
    }
    case 'filtered':
      return { kind: 'failed', failure: failure('content_filtered') };
    case 'aborted':
      return { kind: 'failed', failure: failure('upstream_aborted') };
    case 'error':
      return { kind: 'failed', failure: failure('upstream_error') };
    case 'unknown':
      return { kind: 'failed', failure: unknownFinish() };
  }
}

function whyUnfinished(watchdog: Watchdog, progress: Progress, thrown: Failure | null): Failure {
  if (watchdog.cause !== null && watchdog.cause !== 'client') return failure(watchdog.cause);
  if (thrown !== null) return thrown;
  return failure(progress.isForeign ? 'upstream_incompatible' : 'upstream_truncated');
}

/** A stored answer may have been whole but for its end. One that only thinks on has lost its way. */
function isEmpty(progress: Progress, call: UpstreamCall): boolean {
  return !progress.hasText && (call.prefixTokens === 0 || progress.hasReasoning);
}

/** The usage of the turn, not of the call: what was stored before counts as answer, whoever generated it. */
function turnUsage(progress: Progress, call: UpstreamCall): GenerationUsage {
  const counted = { prompt_tokens: progress.promptTokens, completion_tokens: progress.completionTokens };
  const usage = progress.usage ?? counted;
  return {
    ...usage,
    prompt_tokens: Math.max(0, usage.prompt_tokens - call.prefixTokens),
    completion_tokens: usage.completion_tokens + call.prefixTokens,
  };
}
