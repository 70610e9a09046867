import type { Clock } from '../../../src/clock.ts';

interface Task {
  readonly dueAt: number;
  readonly order: number;
  readonly run: () => void;
}

/**
 * VirtualClock moves only when a test moves it. Tasks run in the order of their times; equal times keep the order of the
 * calls. `set` changes the date alone, as an operator does: no timer becomes longer or shorter.
 */
export class VirtualClock implements Clock {
  /** The first date plus the time that passed. */
  #passed: number;
  #setByMs = 0;
  #tasks: Task[] = [];
  #asked = 0;

  constructor(startsAt: number) {
    this.#passed = startsAt;
  }

  now(): number {
    return this.#passed + this.#setByMs;
  }

  monotonicMs(): number {
    return this.#passed;
  }

  set(byMs: number): void {
    this.#setByMs += byMs;
  }

  after(delayMs: number, run: () => void): () => void {
    this.#asked += 1;
    const task: Task = { dueAt: this.#passed + Math.max(0, delayMs), order: this.#asked, run };
    this.#tasks.push(task);
    return () => {
      this.#tasks = this.#tasks.filter((other) => other !== task);
    };
  }

  soon(run: () => void): void {
    setImmediate(run);
  }

  /** Settles after each task, because a task may cause others that are due before `date`. */
  async advanceTo(date: number, settle: () => Promise<void>): Promise<void> {
    const until = date - this.#setByMs;
    for (;;) {
      const next = this.#next();
      if (next === undefined || next.dueAt > until) break;
      this.#run(next);
      await settle();
    }
    this.#passed = Math.max(this.#passed, until);
  }

  /** For tasks without asynchronous consequences. */
  advance(ms: number): void {
    const until = this.#passed + ms;
    for (let next = this.#next(); next !== undefined && next.dueAt <= until; next = this.#next())
      this.#run(next);
    this.#passed = until;
  }

  /** The number of waiting tasks. */
  get pending(): number {
    return this.#tasks.length;
  }

  #run(task: Task): void {
    this.#tasks = this.#tasks.filter((other) => other !== task);
    this.#passed = Math.max(this.#passed, task.dueAt);
    task.run();
  }

  #next(): Task | undefined {
    return this.#tasks.toSorted((a, b) => a.dueAt - b.dueAt || a.order - b.order)[0];
  }
}
