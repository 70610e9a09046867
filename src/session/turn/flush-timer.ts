/**
 * FlushTimer decides when the text of a running turn is stored: the first piece without delay, then by time or by
 * length, whichever comes first. Text that arrives during a write waits for the next: a slow store gets fewer, larger writes.
 */
import type { Clock } from '../../clock.ts';

export class FlushTimer {
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #length: number;
  readonly #wake: () => void;
  #lastMs = Number.NEGATIVE_INFINITY;
  #cancel: (() => void) | null = null;

  constructor(clock: Clock, everyMs: number, length: number, wake: () => void) {
    this.#clock = clock;
    this.#everyMs = everyMs;
    this.#length = length;
    this.#wake = wake;
  }

  isDue(pendingLength: number): boolean {
    if (pendingLength === 0) return false;
    return pendingLength >= this.#length || this.#clock.monotonicMs() - this.#lastMs >= this.#everyMs;
  }

  /** Wakes the actor when waiting text is due. */
  schedule(pendingLength: number): void {
    if (pendingLength === 0 || this.#cancel !== null) return;
    this.#cancel = this.#clock.after(this.#lastMs + this.#everyMs - this.#clock.monotonicMs(), () => {
      this.#cancel = null;
      this.#wake();
    });
  }

  flushed(): void {
    this.stop();
    this.#lastMs = this.#clock.monotonicMs();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }
}
