/** DeadlineTimer wakes a session at the earliest of its stored deadlines. The stored time decides what is due; the timer only wakes. */
import type { Clock } from '../../clock.ts';
import type { Timers } from '../machine/step.ts';

export interface Deadline {
  readonly id: string;
  readonly dueAt: number;
}

/** The earliest deadline; of several at one time, the one that was set first. */
export function firstOf(timers: Timers): Deadline | null {
  let first: Deadline | null = null;
  for (const [id, dueAt] of Object.entries(timers))
    if (first === null || dueAt < first.dueAt) first = { id, dueAt };
  return first;
}

export class DeadlineTimer {
  readonly #clock: Clock;
  readonly #onDue: (timerId: string) => void;
  #cancel: (() => void) | null = null;

  constructor(clock: Clock, onDue: (timerId: string) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  set(timers: Timers): void {
    this.stop();
    const first = firstOf(timers);
    if (first === null) return;
    const { id, dueAt } = first;
    this.#cancel = this.#clock.after(dueAt - this.#clock.now(), () => {
      this.#cancel = null;
      this.#onDue(id);
    });
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }
}
