import { afterEach, expect, it, vi } from 'vitest';
import { clientClock } from '../../../src/client/client-clock.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;

afterEach(() => vi.useRealTimers());

it("a client's timer of 60 days fires after 60 days, and not before", () => {
  vi.useFakeTimers();
  const task = vi.fn();
  clientClock.after(60 * DAY_MS, task);
  vi.advanceTimersByTime(60 * DAY_MS - 1);
  expect(task).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(task).toHaveBeenCalledOnce();
});

it("a client's timer that is cancelled after 30 of its 60 days does not fire", () => {
  vi.useFakeTimers();
  const task = vi.fn();
  const cancel = clientClock.after(60 * DAY_MS, task);
  vi.advanceTimersByTime(30 * DAY_MS);
  cancel();
  vi.advanceTimersByTime(60 * DAY_MS);
  expect(task).not.toHaveBeenCalled();
});
