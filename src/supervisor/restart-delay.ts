/**
 * RestartDelay chooses how long the supervisor waits before it replaces a worker.
 *
 *  RESTART-1  Workers that die soon after their start are replaced ever more slowly, at most every 30 s each: a crash
 *             on each start must not keep the machine busy.
 *  RESTART-2  A worker that served for a while is replaced almost immediately.
 */

const FIRST_MS = 100;
const LONGEST_MS = 30_000;
const SERVED_LONG_MS = 30_000;

export class RestartDelay {
  #nextMs = FIRST_MS;

  /** `servedMs` is how long the worker listened, 0 if it never did. */
  after(servedMs: number): number {
    if (servedMs >= SERVED_LONG_MS) this.#nextMs = FIRST_MS;
    const delayMs = this.#nextMs;
    this.#nextMs = Math.min(LONGEST_MS, delayMs * 2);
    return delayMs;
  }
}
