/**
 * One attempt at one replica: open the stream, hand its deltas on, say how it ended.
 *
 * A1  Nothing is handed on once the watchdog has stopped: not after an abort, not after a timeout.
 * A2  The end is what the server said in finish_reason. An iterator that merely ends says nothing: the
 *     client library ends it quietly for an abort and for a cut connection alike.
 * A3  After finish_reason nothing can spoil the answer any more; a lost usage chunk is made up for by counting.
 * A4  A stopped attempt settles at once, whether or not the library hears of it: one whose abort was lost
 *     (see upstream.ts, `redirect`) would hold its session for ever.
 */
import { classify, type Failure, failure, unknownFinish } from './failure.ts';
import type { FinishReason, GenerationChunk, GenerationUsage } from './port.ts';
import { createTokenTrail } from './token-trail.ts';
import type { Upstream } from './upstream.ts';
import type { UpstreamCall } from './upstream-call.ts';
import { readChunk, type UpstreamChunk } from './upstream-chunk.ts';
import type { Watchdog } from './watchdog.ts';

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
}

export async function attempt(
  upstream: Upstream,
  call: UpstreamCall,
  requestId: string,
  watchdog: Watchdog,
  onChunk: (chunk: GenerationChunk) => void,
): Promise<AttemptOutcome> {
  const startedMs = performance.now();
  const trail = createTokenTrail(call.idsAreWhole);
  const progress: Progress = {
    finishReason: null,
    usage: null,
    firstTokenMs: null,
    promptTokens: 0,
    completionTokens: 0,
  };

  const handOn = (chunk: UpstreamChunk): void => {
    const ids = trail.follow(chunk);
    const text = call.seam.pass(chunk.text);
    if (text === '' && chunk.reasoning === '') return;
    progress.firstTokenMs ??= performance.now() - startedMs;
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
      const chunk = readChunk(call.api, next.value);
      watchdog.heard(chunk.text !== '' || chunk.reasoning !== '' || (chunk.tokenIds?.length ?? 0) > 0);
      note(progress, chunk);
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
  progress.finishReason = chunk.finishReason ?? progress.finishReason;
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
  const reason = progress.finishReason; // A2
  if (reason === 'stop' || reason === 'length' || reason === 'tool_calls') {
    const { firstTokenMs } = progress;
    return { kind: 'finished', reason, usage: turnUsage(progress, call), firstTokenMs }; // A3
  }
  return { kind: 'failed', failure: whyNot(watchdog, reason, thrown) };
}

function whyNot(watchdog: Watchdog, reason: string | null, thrown: Failure | null): Failure {
  if (watchdog.cause !== null && watchdog.cause !== 'client') return failure(watchdog.cause);
  if (thrown !== null) return thrown;
  if (reason === null) return failure('upstream_truncated');
  if (reason === 'abort') return failure('upstream_aborted');
  return reason === 'error' ? failure('upstream_error') : unknownFinish();
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
