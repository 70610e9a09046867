/**
 * One run of the engine: the tokens of a job in their time, with the faults that were asked for.
 *
 * The stages in order: thinking (fault `reasoning`) → tokens, chunked by the interval → finish.
 * Between any two tokens the run may be cut, paused, stalled or cancelled.
 * R1  A cancelled run yields nothing more.
 * R2  Every id is yielded once, with the step in which it was generated; its text may come later.
 */
import { type FaultName, faultNumber } from '../protocol/faults.ts';
import type { Settings } from '../settings.ts';
import { createStreamDecoder, decode } from '../text/tokenizer.ts';
import { END } from '../text/vocabulary.ts';
import type { Job } from './job.ts';
import type { Pause } from './pause.ts';
import { createStopFilter } from './stop-strings.ts';

export interface Delta {
  readonly ids: readonly number[];
  readonly text: string;
}

export type CutKind = 'truncate' | 'reset' | 'error' | 'bad-json';

export type Step =
  | ({ readonly kind: 'tokens' } & Delta)
  | ({ readonly kind: 'reasoning' } & Delta)
  | { readonly kind: 'empty' }
  | ({ readonly kind: 'finish'; readonly reason: string; readonly stopReason: string | null } & Delta)
  | { readonly kind: 'cut'; readonly how: CutKind };

const CUTS: readonly (readonly [FaultName, CutKind])[] = [
  ['truncate-after', 'truncate'],
  ['reset-after', 'reset'],
  ['error-after', 'error'],
  ['bad-json', 'bad-json'],
];

/** With no pace, this many tokens go out before sockets get a turn: enough to notice a client that leaves. */
const TOKENS_PER_BREATH = 8;
const HOLLOW_EVERY_MS = 10;

export async function* runGeneration(job: Job, settings: Settings, pause: Pause): AsyncGenerator<Step> {
  const { faults, rest } = job;
  const pace = createPace(faultNumber(faults, 'tps') ?? settings.tokensPerSecond, pause);
  const interval = faultNumber(faults, 'interval') ?? settings.streamInterval;
  const decoder = createStreamDecoder(job.promptIds);
  const stops = createStopFilter(job.stop);
  const room = Math.max(0, job.maxTokens - job.thoughts.length);
  const count = Math.min(rest.length, room);
  const endsItself = rest.length < room;
  let ids: number[] = [];
  let text = '';

  await pause.sleep(faults.has('stall-first') ? Number.POSITIVE_INFINITY : firstTokenMs(job, settings));
  if (pause.cancelled) return;
  pace.start();
  yield* think(job);

  for (let index = 0; index <= count; index += 1) {
    if (faultNumber(faults, 'abort-after') === index) {
      yield { kind: 'finish', reason: 'abort', stopReason: null, ids, text };
      return;
    }
    const cut = CUTS.find(([name]) => faultNumber(faults, name) === index);
    if (cut !== undefined) {
      if (ids.length > 0) yield { kind: 'tokens', ids, text };
      yield { kind: 'cut', how: cut[1] };
      return;
    }
    if (faultNumber(faults, 'stall-after') === index) {
      if (ids.length > 0) yield { kind: 'tokens', ids, text };
      await pause.sleep(Number.POSITIVE_INFINITY);
    }
    if (faultNumber(faults, 'hollow-after') === index) {
      if (ids.length > 0) yield { kind: 'tokens', ids, text };
      for (; !pause.cancelled; await pause.sleep(HOLLOW_EVERY_MS)) yield { kind: 'empty' };
      return;
    }
    if (faultNumber(faults, 'pause-after') === index)
      await pause.sleep(faultNumber(faults, 'pause-ms') ?? 200);
    await pace.next();
    if (pause.cancelled) return; // R1
    if (index === count) break;

    const id = rest[index] ?? END;
    const piece = stops.push(decoder.push(id));
    ids.push(id); // R2
    text += piece.text;
    if (piece.stoppedBy !== null) {
      yield { kind: 'finish', reason: planned(job, 'stop'), stopReason: piece.stoppedBy, ids, text };
      return;
    }
    if (index === count - 1 && !endsItself) break; // the last token rides on the finish
    if (index === 0 || ids.length >= interval) {
      if (faults.has('empty-deltas')) yield { kind: 'empty' };
      yield { kind: 'tokens', ids, text };
      ids = [];
      text = '';
    }
  }
  text += stops.push(decoder.flush()).text + stops.flush();
  const reason = planned(job, endsItself ? 'stop' : 'length');
  yield { kind: 'finish', reason, stopReason: null, ids: endsItself ? [...ids, END] : ids, text };
}

function planned(job: Job, reason: string): string {
  return job.faults.get('finish') ?? reason;
}

function firstTokenMs(job: Job, settings: Settings): number {
  return faultNumber(job.faults, 'first-token-ms') ?? settings.firstTokenMs;
}

function* think({ thoughts }: Job): Generator<Step> {
  for (const id of thoughts) yield { kind: 'reasoning', ids: [id], text: decode([id]) };
}

interface Pace {
  start(): void;
  next(): Promise<void>;
}

/** Tokens are due at fixed times, so that a late timer is made up for and the rate is kept. */
function createPace(tokensPerSecond: number, pause: Pause): Pace {
  const intervalMs = tokensPerSecond > 0 ? 1000 / tokensPerSecond : 0;
  let dueMs = 0;
  let tokens = 0;
  return {
    start() {
      dueMs = performance.now();
    },
    async next() {
      tokens += 1;
      if (intervalMs === 0) {
        if (tokens % TOKENS_PER_BREATH === 0) await pause.breathe();
        return;
      }
      if (tokens > 1) dueMs += intervalMs;
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await pause.sleep(waitMs);
    },
  };
}
