/**
 * SimProcess is one process of the world: it runs, is frozen, or is dead, and so are its tasks in the scheduler.
 *
 *  PROCESS-1  After `kill` none of its closures runs again: the scheduler drops its timers, replies and sockets.
 *  PROCESS-2  While it is frozen none of its tasks runs; due tasks run late, when it resumes.
 *  PROCESS-3  Its wall clock may be wrong and may jump; its timers and its monotonic clock count real time, as those of
 *             an operating system do.
 */
import type { Clock } from '../../../src/clock.ts';
import type { Scheduler, Task } from './scheduler.ts';

type Life =
  | { readonly kind: 'running' }
  | { readonly kind: 'frozen'; readonly backlog: Task[] }
  | { readonly kind: 'dead' };

export class SimProcess {
  readonly name: string;
  readonly clock: Clock;
  readonly #scheduler: Scheduler;
  #life: Life = { kind: 'running' };
  #skewMs: number;

  constructor(scheduler: Scheduler, name: string, skewMs: number) {
    this.#scheduler = scheduler;
    this.name = name;
    this.#skewMs = skewMs;
    this.clock = {
      now: () => Math.floor(scheduler.now + this.#skewMs),
      monotonicMs: () => scheduler.elapsed,
      after: (delayMs, task) => {
        // Node rounds up to one millisecond; a timer of 0 ms that ran at once would hide loops that spin.
        const timer = this.#scheduler.after(Math.max(1, delayMs), task, this, 'timer');
        return () => {
          timer.run = null;
        };
      },
      soon: (task) => this.io(0, task),
    };
  }

  get alive(): boolean {
    return this.#life.kind !== 'dead';
  }

  get running(): boolean {
    return this.#life.kind === 'running';
  }

  io(delayMs: number, task: () => void): void {
    if (this.alive) this.#scheduler.after(delayMs, task, this);
  }

  admits(task: Task): boolean {
    if (this.#life.kind === 'frozen') this.#life.backlog.push(task);
    return this.#life.kind === 'running';
  }

  jump(byMs: number): void {
    this.#skewMs += byMs;
  }

  freeze(forMs: number): void {
    if (this.#life.kind !== 'running') return;
    this.#life = { kind: 'frozen', backlog: [] };
    this.#scheduler.after(forMs, () => {
      if (this.#life.kind !== 'frozen') return;
      const { backlog } = this.#life;
      this.#life = { kind: 'running' };
      const timers = backlog.filter((task) => task.kind === 'timer');
      this.#scheduler.readmit([...timers, ...backlog.filter((task) => task.kind === 'io')]);
    });
  }

  kill(): void {
    this.#life = { kind: 'dead' };
  }
}
