/**
 * FlushTimer decides when the text of a running turn is stored: without delay if nothing was stored for an interval, as
 * at the start of an answer; otherwise at the next tick of the schedule or by length, whichever comes first. Text that
 * arrives during a write waits for the next: a slow store gets fewer, larger writes.
 */
import type { FlushSchedule } from './flush-schedule.ts';

export class FlushTimer {
  readonly #schedule: FlushSchedule;
  readonly #length: number;
  readonly #wake: () => void;
  readonly #onTick: () => void;
  #lastMs = Number.NEGATIVE_INFINITY;
  #waits = false;

  constructor(schedule: FlushSchedule, length: number, wake: () => void) {
    this.#schedule = schedule;
    this.#length = length;
    this.#wake = wake;
    this.#onTick = () => {
      this.#waits = false;
      this.#lastMs = Number.NEGATIVE_INFINITY;
      wake();
    };
  }

  isDue(pendingLength: number): boolean {
    return pendingLength > 0 && (pendingLength >= this.#length || this.#schedule.isDueAfter(this.#lastMs));
  }

  /** Wakes the actor when waiting text is due. */
  schedule(pendingLength: number): void {
    if (pendingLength === 0) return;
    if (this.isDue(pendingLength)) return this.#schedule.soon(this.#wake);
    if (this.#waits) return;
    this.#waits = true;
    this.#schedule.atTick(this.#onTick);
  }

  flushed(): void {
    this.stop();
    this.#lastMs = this.#schedule.nowMs;
  }

  stop(): void {
    if (this.#waits) this.#schedule.cancel(this.#onTick);
    this.#waits = false;
  }
}
