/**
 * Pause makes a generation wait, and ends the wait when the client leaves: a request must not hold its slot until the
 * next token is due.
 */
import { sleep } from '../../clock.ts';

export interface Pause {
  readonly cancelled: boolean;
  /** Resolves after `ms` (Infinity never does) or on cancel; check `cancelled` afterwards. */
  sleep(ms: number): Promise<void>;
  cancel(): void;
}

export function createPause(): Pause {
  const cancelling = new AbortController();
  const { signal } = cancelling;
  return {
    get cancelled() {
      return signal.aborted;
    },
    sleep: (ms) => (ms <= 0 ? Promise.resolve() : sleep(ms, signal).catch(() => {})),
    cancel: () => cancelling.abort(),
  };
}

/** Without a pace, sockets get a turn after this many tokens: the simulator must notice a client that leaves. */
const TOKENS_PER_TURN = 8;

/** Each token is due at a fixed time, so that a late timer does not lower the rate. */
export class Pace {
  readonly #pause: Pause;
  readonly #intervalMs: number;
  #dueMs = performance.now();
  #tokens = 0;

  constructor(tokensPerSecond: number, pause: Pause) {
    this.#pause = pause;
    this.#intervalMs = tokensPerSecond > 0 ? 1_000 / tokensPerSecond : 0;
  }

  async next(): Promise<void> {
    this.#tokens += 1;
    if (this.#intervalMs === 0) {
      if (this.#tokens % TOKENS_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
      return;
    }
    if (this.#tokens > 1) this.#dueMs += this.#intervalMs;
    await this.#pause.sleep(this.#dueMs - performance.now());
  }
}
