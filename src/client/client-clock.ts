/** The clock of a client, without what only Node has. */
export interface ClientClock {
  /** The date, in ms since the epoch. */
  now(): number;
  /** Ms since an arbitrary moment of this process; it never goes back. */
  monotonicMs(): number;
  /** Runs `task` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, task: () => void): () => void;
}

/** Browsers and Node fire a longer timer immediately: a token that lasts a month would be renewed without a pause. */
const LONGEST_STEP_MS = 2 ** 31 - 1;

export const clientClock: ClientClock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, task) {
    let timer: ReturnType<typeof setTimeout>;
    const wait = (leftMs: number): void => {
      const stepMs = Math.min(leftMs, LONGEST_STEP_MS);
      timer = setTimeout(() => (leftMs > stepMs ? wait(leftMs - stepMs) : task()), stepMs);
    };
    wait(delayMs);
    return () => clearTimeout(timer);
  },
};
