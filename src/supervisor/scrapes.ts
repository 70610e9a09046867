/**
 * Scrapes collects the metrics of all workers for one answer of `/metrics`.
 *
 *  SCRAPE-1  A worker that does not answer delays a scrape by at most `withinMs`.
 */
import type { Clock } from '../clock.ts';

interface Scrape {
  readonly texts: string[];
  readonly awaited: Set<number>;
  readonly finish: () => void;
}

export class Scrapes {
  readonly #clock: Clock;
  readonly #withinMs: number;
  readonly #open = new Map<number, Scrape>();
  #lastId = 0;

  constructor(clock: Clock, withinMs: number) {
    this.#clock = clock;
    this.#withinMs = withinMs;
  }

  /** `ask` sends `collect` with this id to the workers that can answer, and returns their numbers. */
  collect(ask: (id: number) => readonly number[], done: (texts: readonly string[]) => void): void {
    this.#lastId += 1;
    const id = this.#lastId;
    const texts: string[] = [];
    const finish = (): void => {
      cancel();
      if (this.#open.delete(id)) done(texts);
    };
    const cancel = this.#clock.after(this.#withinMs, finish); // SCRAPE-1
    this.#open.set(id, { texts, awaited: new Set(ask(id)), finish });
  }

  collected(id: number, worker: number, text: string): void {
    const scrape = this.#open.get(id);
    if (scrape?.awaited.delete(worker) !== true) return;
    scrape.texts.push(text);
    if (scrape.awaited.size === 0) scrape.finish();
  }

  /** The worker has ended and answers no scrape. */
  forget(worker: number): void {
    for (const scrape of [...this.#open.values()])
      if (scrape.awaited.delete(worker) && scrape.awaited.size === 0) scrape.finish();
  }
}
