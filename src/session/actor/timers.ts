/**
 * DeadlineTimer wakes a session at the earliest of its stored deadlines. The stored time decides what is due; the timer
 * only wakes.
 *
 *  DEADLINE-1  A deadline that moved to a later time leaves the timer as it is: most inputs move one, and setting a timer
 *              costs more than one early wake-up. The actor finds nothing due then, and sets the timer again.
 */
import type { Clock } from '../../clock.ts';
import type { Timers } from '../machine/step.ts';

export interface Deadline {
  readonly id: string;
  readonly dueAt: number;
}

/** The earliest deadline; of several at one time, the one that was set first. */
export function firstOf(timers: Timers): Deadline | null {
  let first: string | null = null;
  let firstAt = Number.POSITIVE_INFINITY;
  for (const id in timers) {
    const dueAt = timers[id] ?? firstAt;
    if (dueAt >= firstAt) continue;
    first = id;
    firstAt = dueAt;
  }
  return first === null ? null : { id: first, dueAt: firstAt };
}

export class DeadlineTimer {
  readonly #clock: Clock;
  readonly #onDue: (timerId: string) => void;
  #armed: { readonly dueAt: number; readonly cancel: () => void } | null = null;

  constructor(clock: Clock, onDue: (timerId: string) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  set(timers: Timers): void {
    const first = firstOf(timers);
    if (first === null) return this.stop();
    if (this.#armed !== null && this.#armed.dueAt <= first.dueAt) return; // DEADLINE-1
    this.stop();
    const { id, dueAt } = first;
    const cancel = this.#clock.after(dueAt - this.#clock.now(), () => {
      this.#armed = null;
      this.#onDue(id);
    });
    this.#armed = { dueAt, cancel };
  }

  stop(): void {
    this.#armed?.cancel();
    this.#armed = null;
  }
}
