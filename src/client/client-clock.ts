/** The part of the clock that a client needs, without the types of Node: a browser's client reads its declaration. */
export interface ClientClock {
  /** The date, in ms since the epoch. */
  now(): number;
  /** Ms since an arbitrary moment of this process; it never goes back. */
  monotonicMs(): number;
  /** Runs `task` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, task: () => void): () => void;
}
