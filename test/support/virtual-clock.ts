import type { Clock } from '../../src/session/clock.ts';

interface Task {
  readonly dueAt: number;
  readonly order: number;
  readonly run: () => void;
}

/** Time that stands still until a test moves it. Tasks run in the order of their times, equal ones as they were asked for. */
export class VirtualClock implements Clock {
  #now: number;
  #tasks: Task[] = [];
  #asked = 0;

  constructor(startsAt: number) {
    this.#now = startsAt;
  }

  now(): number {
    return this.#now;
  }

  after(delayMs: number, run: () => void): () => void {
    this.#asked += 1;
    const task: Task = { dueAt: this.#now + Math.max(0, delayMs), order: this.#asked, run };
    this.#tasks.push(task);
    return () => {
      this.#tasks = this.#tasks.filter((other) => other !== task);
    };
  }

  /** What a task sets off may ask for tasks that are due on the way, so it settles before the next one is chosen. */
  async advanceTo(at: number, settle: () => Promise<void>): Promise<void> {
    for (;;) {
      const next = this.#next();
      if (next === undefined || next.dueAt > at) break;
      this.#tasks = this.#tasks.filter((other) => other !== next);
      this.#now = Math.max(this.#now, next.dueAt);
      next.run();
      await settle();
    }
    this.#now = Math.max(this.#now, at);
  }

  #next(): Task | undefined {
    return this.#tasks.toSorted((a, b) => a.dueAt - b.dueAt || a.order - b.order)[0];
  }
}
