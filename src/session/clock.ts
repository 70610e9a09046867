/**
 * Time as the session floor sees it; the simulation puts its own in place.
 *
 * The wall clock may be set, back as well as forward, so a difference of two of its readings is no duration: by such a
 * one text would wait an hour to be stored and a lease would not be renewed. What lasts is measured by `monotonicMs`;
 * what is stored, or meant for another process, is a date.
 */
import { startTimer } from '../timers.ts';

export interface Clock {
  /** The date, in ms since the epoch. */
  now(): number;
  /** Ms since a moment of this process's own; it never goes back. */
  monotonicMs(): number;
  /** Runs `task` once after `delayMs`; the returned function takes it back. */
  after(delayMs: number, task: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, task) => startTimer(Math.max(0, delayMs), task).cancel,
};
