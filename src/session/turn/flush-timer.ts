/**
 * When the text of a running turn is stored: the first piece at once, then by time or by size, whichever comes first.
 * While a write is under way text gathers for the next one, so a slow store gets fewer and larger writes.
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

  /** Makes sure that waiting text is looked at when its time has come. */
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
