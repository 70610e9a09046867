/**
 * A generation yields the tokens of one request, each in its time, with the faults that the request asked for.
 *
 * The stages in order: thoughts → tokens, chunked by the interval → finish. Between any two tokens a fault may cut,
 * pause or stall the generation, and the client may leave.
 * SIMRUN-1  A cancelled generation yields nothing more.
 * SIMRUN-2  Every id is yielded once, with the step that generated it; its text may come later.
 */
import type { Settings } from '../settings.ts';
import { createStreamDecoder, decode } from '../text/tokenizer.ts';
import { END } from '../text/vocabulary.ts';
import { type FaultName, type FaultPlan, faultNumber } from './faults.ts';
import { Pace, type Pause } from './pause.ts';

export interface GenerationInput {
  readonly promptIds: readonly number[];
  /** Tokens of reasoning still to come before the text. */
  readonly thoughts: readonly number[];
  /** The text tokens still to come; the end token is not among them. */
  readonly rest: readonly number[];
  readonly maxTokens: number;
  readonly stop: readonly string[];
  readonly faults: FaultPlan;
}

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

const HOLLOW_EVERY_MS = 10;

export async function* generate(
  input: GenerationInput,
  settings: Settings,
  pause: Pause,
): AsyncGenerator<Step> {
  const { faults, rest, thoughts } = input;
  const number = (name: FaultName): number | null => faultNumber(faults, name);
  const interval = number('interval') ?? settings.streamInterval;
  const decoder = createStreamDecoder(input.promptIds);
  const stops = new StopFilter(input.stop);
  const room = Math.max(0, input.maxTokens - thoughts.length);
  const count = Math.min(rest.length, room);
  const endsItself = rest.length < room;
  let ids: number[] = [];
  let text = '';
  const finish = (reason: string, stopReason: string | null = null): Step => ({
    kind: 'finish',
    reason,
    stopReason,
    ids,
    text,
  });

  const firstTokenMs = number('first-token-ms') ?? settings.firstTokenMs;
  await pause.sleep(faults.has('stall-first') ? Number.POSITIVE_INFINITY : firstTokenMs);
  if (pause.cancelled) return;
  const pace = new Pace(number('tps') ?? settings.tokensPerSecond, pause);
  for (const id of thoughts) yield { kind: 'reasoning', ids: [id], text: decode([id]) };

  for (let index = 0; index <= count; index += 1) {
    if (number('abort-after') === index) return yield finish('abort');
    const cut = CUTS.find(([name]) => number(name) === index)?.[1];
    const stalls = number('stall-after') === index;
    const hollow = number('hollow-after') === index;
    if (ids.length > 0 && (cut !== undefined || stalls || hollow)) yield { kind: 'tokens', ids, text };
    if (cut !== undefined) return yield { kind: 'cut', how: cut };
    if (stalls) await pause.sleep(Number.POSITIVE_INFINITY);
    if (hollow) {
      for (; !pause.cancelled; await pause.sleep(HOLLOW_EVERY_MS)) yield { kind: 'empty' };
      return;
    }
    if (number('pause-after') === index) await pause.sleep(number('pause-ms') ?? 200);
    await pace.next();
    if (pause.cancelled) return; // SIMRUN-1
    if (index === count) break;

    const id = rest[index] ?? END;
    const { text: ready, stoppedBy } = stops.push(decoder.push(id));
    ids.push(id); // SIMRUN-2
    text += ready;
    if (stoppedBy !== null) return yield finish(faults.get('finish') ?? 'stop', stoppedBy);
    if (index === count - 1 && !endsItself) break; // The last token goes out with the finish.
    if (index === 0 || ids.length >= interval) {
      if (faults.has('empty-deltas')) yield { kind: 'empty' };
      yield { kind: 'tokens', ids, text };
      ids = [];
      text = '';
    }
  }
  text += stops.push(decoder.flush()).text + stops.flush();
  if (endsItself) ids.push(END);
  yield finish(faults.get('finish') ?? (endsItself ? 'stop' : 'length'));
}

/**
 * Holds text back as vLLM does: by the longest stop string less one character, because it may be the beginning of one.
 * With stop strings the ids of a chunk therefore run ahead of its text.
 */
class StopFilter {
  readonly #stops: readonly string[];
  readonly #holdBack: number;
  #held = '';

  constructor(stops: readonly string[]) {
    this.#stops = stops;
    this.#holdBack = Math.max(1, ...stops.map((stop) => stop.length)) - 1;
  }

  push(text: string): { readonly text: string; readonly stoppedBy: string | null } {
    this.#held += text;
    for (const stop of this.#stops) {
      const at = this.#held.indexOf(stop);
      if (at >= 0) return { text: this.#held.slice(0, at), stoppedBy: stop };
    }
    const ready = this.#held.slice(0, Math.max(0, this.#held.length - this.#holdBack));
    this.#held = this.#held.slice(ready.length);
    return { text: ready, stoppedBy: null };
  }

  flush(): string {
    return this.#held;
  }
}
