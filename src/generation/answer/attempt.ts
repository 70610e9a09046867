/**
 * attempt makes one attempt at one replica: it opens the stream, passes on the deltas and reports how the stream ended.
 *
 * ATTEMPT-1  The attempt passes nothing on after an abort or a timeout.
 * ATTEMPT-2  An answer ends with the first finish_reason. The end of the stream proves nothing: a proxy may have given up.
 * ATTEMPT-3  After finish_reason no error can spoil the answer; the attempt's own count replaces a lost usage chunk.
 * ATTEMPT-4  A stopped attempt settles immediately, whether or not the transport notices: after a lost abort (see
 *            openai-client.ts, `redirect`) it would block its session for ever.
 * ATTEMPT-5  An answer without text is a failure, unless it only ends a stored answer.
 */
import type { FinishReason, GenerationChunk, GenerationUsage } from '../port.ts';
import { classifyRefusal, type Failure, failure } from '../upstream/failure.ts';
import { finishOf } from '../upstream/finish-reason.ts';
import { refusalInStream } from '../upstream/refusal.ts';
import type { TransportCall } from '../upstream/transport.ts';
import type { AnswerListener, Upstream } from '../upstream/upstream.ts';
import { readChunk, type UpstreamChunk } from '../upstream/upstream-chunk.ts';
import type { Watchdog } from '../upstream/watchdog.ts';
import { createTokenIdFilter, type TokenIdFilter } from './token-ids.ts';
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

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

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

/** Rejects only for a bug in `onChunk`, which must not count as a failure of the server. */
export function attempt(
  upstream: Upstream,
  call: UpstreamCall,
  requestId: string,
  watchdog: Watchdog,
  onChunk: (chunk: GenerationChunk) => void,
): Promise<AttemptOutcome> {
  return new Promise((resolve, reject) => {
    const run = new Attempt(call, watchdog, onChunk, resolve, reject);
    run.start(upstream, requestId);
  });
}

class Attempt implements AnswerListener {
  readonly #call: UpstreamCall;
  readonly #watchdog: Watchdog;
  readonly #onChunk: (chunk: GenerationChunk) => void;
  readonly #resolve: (outcome: AttemptOutcome) => void;
  readonly #reject: (bug: unknown) => void;
  readonly #idFilter: TokenIdFilter;
  readonly #startedMs = performance.now();
  readonly #progress: Progress = {
    finishReason: null,
    usage: null,
    firstTokenMs: null,
    promptTokens: 0,
    completionTokens: 0,
    hasText: false,
    hasReasoning: false,
    isForeign: false,
  };
  #request: Pick<TransportCall, 'abort'> | null = null;
  #isAnswer = false;
  #isSettled = false;

  constructor(
    call: UpstreamCall,
    watchdog: Watchdog,
    onChunk: (chunk: GenerationChunk) => void,
    resolve: (outcome: AttemptOutcome) => void,
    reject: (bug: unknown) => void,
  ) {
    this.#call = call;
    this.#watchdog = watchdog;
    this.#onChunk = onChunk;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#idFilter = createTokenIdFilter(call.idsAreWhole);
  }

  start(upstream: Upstream, requestId: string): void {
    this.#watchdog.onStop(() => this.onEnd(null)); // ATTEMPT-4
    if (!this.#isSettled) this.#request = upstream.ask(this.#call, requestId, this);
  }

  onValue(value: unknown): void {
    if (this.#isSettled) return; // ATTEMPT-1
    try {
      this.#read(value);
    } catch (bug) {
      this.#settle();
      this.#reject(bug);
    }
  }

  onEnd(thrown: Failure | null): void {
    if (this.#isSettled) return;
    this.#settle();
    this.#resolve(ended(this.#watchdog, this.#progress, this.#call, thrown));
  }

  /** An attempt that is over leaves no request open. */
  #settle(): void {
    this.#isSettled = true;
    this.#request?.abort();
  }

  #read(value: unknown): void {
    const refusal = refusalInStream(value);
    if (refusal !== null) return this.onEnd(classifyRefusal(refusal));
    const progress = this.#progress;
    const chunk = readChunk(this.#call.api, value);
    this.#isAnswer ||= chunk.isAnswer || chunk.usage !== null;
    progress.isForeign = !this.#isAnswer;
    if (chunk.text !== '' || chunk.reasoning !== '' || (chunk.tokenIds?.length ?? 0) > 0)
      this.#watchdog.sawText();
    note(progress, chunk);
    if (progress.finishReason !== null) this.#watchdog.sawFinish();
    if (!chunk.isWhole || !progress.hasText) this.#passOn(chunk);
  }

  #passOn(chunk: UpstreamChunk): void {
    const { overlap, prefixTokens } = this.#call;
    const progress = this.#progress;
    const ids = this.#idFilter.take(chunk);
    const text = overlap.strip(chunk.text);
    if (text === '' && chunk.reasoning === '') return;
    progress.firstTokenMs ??= performance.now() - this.#startedMs;
    progress.hasText ||= text.trim() !== '';
    progress.hasReasoning ||= chunk.reasoning !== '';
    const passed: Mutable<GenerationChunk> = { text };
    if (chunk.reasoning !== '') passed.reasoning = chunk.reasoning;
    if (ids.tokenIds !== undefined) passed.tokenIds = ids.tokenIds;
    // A continuation's prompt holds the stored answer; the turn's own prompt is stored with its first part.
    if (ids.promptTokenIds !== undefined && prefixTokens === 0) passed.promptTokenIds = ids.promptTokenIds;
    this.#onChunk(passed);
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
