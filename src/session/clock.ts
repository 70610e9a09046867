/** Time as the session floor sees it; the simulation puts its own in place. All times are ms since the epoch. */
export interface Clock {
  now(): number;
  /** Runs `task` once after `delayMs`; the returned function takes it back. */
  after(delayMs: number, task: () => void): () => void;
}

/** Longer timeouts overflow Node's 32-bit timers and would fire at once. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, Math.min(Math.max(0, delayMs), LONGEST_DELAY_MS));
    return () => clearTimeout(timer);
  },
};
