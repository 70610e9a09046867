/** One local timer for the earliest of a session's stored deadlines; the stored time decides, this only wakes. */
import type { Clock } from '../../clock.ts';
import type { Timers } from '../machine/step.ts';

export interface Deadline {
  readonly id: string;
  readonly dueAt: number;
}

/** The one that is due first; of several that are due together, the one that was set first. */
export function firstOf(timers: Timers): Deadline | null {
  let first: Deadline | null = null;
  for (const [id, dueAt] of Object.entries(timers))
    if (first === null || dueAt < first.dueAt) first = { id, dueAt };
  return first;
}

export class DeadlineTimer {
  readonly #clock: Clock;
  readonly #ring: (timerId: string) => void;
  #cancel: (() => void) | null = null;

  constructor(clock: Clock, ring: (timerId: string) => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  set(timers: Timers): void {
    this.stop();
    const first = firstOf(timers);
    if (first === null) return;
    const { id, dueAt } = first;
    this.#cancel = this.#clock.after(dueAt - this.#clock.now(), () => {
      this.#cancel = null;
      this.#ring(id);
    });
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }
}
