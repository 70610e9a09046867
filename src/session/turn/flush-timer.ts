/**
 * FlushTimer decides when the text of a running turn is stored: the first piece without delay, then at the next tick of
 * the schedule or by length, whichever comes first. Text that arrives during a write waits for the next: a slow store gets
 * fewer, larger writes.
 */
import type { FlushSchedule } from './flush-schedule.ts';

export class FlushTimer {
  readonly #schedule: FlushSchedule;
  readonly #length: number;
  readonly #wake: () => void;
  readonly #onTick: () => void;
  #isDue = true;
  #waits = false;

  constructor(schedule: FlushSchedule, length: number, wake: () => void) {
    this.#schedule = schedule;
    this.#length = length;
    this.#wake = wake;
    this.#onTick = () => {
      this.#waits = false;
      this.#isDue = true;
      wake();
    };
  }

  isDue(pendingLength: number): boolean {
    return pendingLength > 0 && (this.#isDue || pendingLength >= this.#length);
  }

  /** Wakes the actor when waiting text is due. */
  schedule(pendingLength: number): void {
    if (this.isDue(pendingLength)) return this.#schedule.soon(this.#wake);
    if (pendingLength === 0 || this.#waits) return;
    this.#waits = true;
    this.#schedule.atTick(this.#onTick);
  }

  flushed(): void {
    this.stop();
    this.#isDue = false;
  }

  stop(): void {
    if (this.#waits) this.#schedule.cancel(this.#onTick);
    this.#waits = false;
  }
}
