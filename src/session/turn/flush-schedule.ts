/**
 * FlushSchedule decides when the waiting texts of all sessions of an instance are stored. Texts that are due at one time
 * are stored together, so that they leave in one write to the store and cost one timer.
 *
 *  FLUSH-1  Text waits for `everyMs` at most before its write begins.
 *  FLUSH-2  Text that is due now waits for the end of the event-loop turn: if the answer ends in the same turn, one write
 *           stores both.
 */
import type { Clock } from '../../clock.ts';

export type Flush = () => void;

export class FlushSchedule {
  readonly #clock: Clock;
  readonly #everyMs: number;
  #atTick = new Set<Flush>();
  #soon: Flush[] = [];

  constructor(clock: Clock, everyMs: number) {
    this.#clock = clock;
    this.#everyMs = everyMs;
  }

  get nowMs(): number {
    return this.#clock.monotonicMs();
  }

  /** True if a text that was last stored then need not wait for the next tick. */
  isDueAfter(lastMs: number): boolean {
    return this.nowMs - lastMs >= this.#everyMs;
  }

  /** Runs `flush` at the end of this event-loop turn. */
  soon(flush: Flush): void {
    if (this.#soon.push(flush) > 1) return;
    this.#clock.soon(() => {
      const flushes = this.#soon;
      this.#soon = [];
      for (const one of flushes) one();
    });
  }

  /** Runs `flush` at the next tick, once. */
  atTick(flush: Flush): void {
    if (this.#everyMs === 0) return this.soon(flush);
    this.#atTick.add(flush);
    if (this.#atTick.size > 1) return;
    const waitMs = this.#everyMs - (this.#clock.monotonicMs() % this.#everyMs);
    this.#clock.after(waitMs, () => {
      const flushes = this.#atTick;
      this.#atTick = new Set();
      for (const one of flushes) one();
    });
  }

  cancel(flush: Flush): void {
    this.#atTick.delete(flush);
  }
}
