/**
 * Scheduler runs virtual time: every event is a task in one queue, and tasks run one at a time.
 *
 *  SCHED-1  Between two tasks the promises that the first one settled run to their end. The scheduler waits for no real
 *           timer, so code that used one would stall its world.
 *  SCHED-2  Tasks run in the order of their time, then of their creation: the same seed gives the same order.
 *  SCHED-3  A task belongs to a process or to the world. A dead process runs nothing; a paused one runs its due tasks
 *           when it resumes, timers first, as Node does after SIGCONT.
 */
import type { SimProcess } from './sim-process.ts';

export interface Task {
  readonly at: number;
  readonly order: number;
  readonly kind: 'timer' | 'io';
  readonly owner: SimProcess | null;
  /** Null once it was taken back. */
  run: (() => void) | null;
}

/** Rounds of the microtask queue between two tasks: far more than the longest chain of awaits in the service. */
const ROUNDS = 32;
/** When virtual time begins: a date, because the code under test stores dates. */
const BEGINNING = Date.UTC(2027, 0, 1);

export class Scheduler {
  readonly #heap: Task[] = [];
  readonly #rounds: number;
  #now = BEGINNING;
  #order = 0;
  #steps = 0;

  constructor(rounds: number = ROUNDS) {
    this.#rounds = rounds;
  }

  get now(): number {
    return this.#now;
  }

  get steps(): number {
    return this.#steps;
  }

  /** Ms since the beginning, for people. */
  get elapsed(): number {
    return this.#now - BEGINNING;
  }

  after(delayMs: number, run: () => void, owner: SimProcess | null = null, kind: Task['kind'] = 'io'): Task {
    this.#order += 1;
    const task: Task = { at: this.#now + Math.max(0, delayMs), order: this.#order, kind, owner, run };
    this.#push(task);
    return task;
  }

  /** Runs the next task and the promises that it settles; false if there is none. */
  async step(): Promise<boolean> {
    const task = this.#pop();
    if (task === undefined) return false;
    const { run, owner } = task;
    if (run === null) return true;
    this.#now = Math.max(this.#now, task.at);
    if (owner !== null && !owner.admits(task)) return true;
    this.#steps += 1;
    run();
    for (let round = 0; round < this.#rounds; round++) await undefined;
    return true;
  }

  /** Puts back what a paused process could not run. */
  readmit(tasks: readonly Task[]): void {
    for (const task of tasks) this.after(0, () => task.run?.(), task.owner, task.kind);
  }

  #push(task: Task): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(task);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(task, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = task;
  }

  #pop(): Task | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!isBefore(heap[child]!, last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

function isBefore(left: Task, right: Task): boolean {
  return left.at < right.at || (left.at === right.at && left.order < right.order);
}
