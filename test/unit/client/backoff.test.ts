import { describe, expect, it } from 'vitest';
import { Backoff, LONGEST_DELAY_MS, MIN_UPTIME_FOR_RESET_MS } from '../../../src/client/backoff.ts';

const failed = { uptimeMs: null, retryAfterMs: null };
/** Just below 1: the longest delay that the window allows. */
const unlucky = () => 0.999_999;

function delays(backoff: Backoff, count: number): readonly number[] {
  return Array.from({ length: count }, () => backoff.nextDelayMs(failed));
}

describe('the backoff', () => {
  it('the backoff doubles its window with each failure, up to five seconds', () => {
    const windows = delays(new Backoff(unlucky), 9).map((delay) => delay + 1);
    expect(windows).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]);
  });

  it('the backoff draws any delay of its window, from zero up', () => {
    const draws = [0, 0.25, 0.5, 0.75];
    const backoff = new Backoff(() => draws.shift() ?? 0);
    expect(delays(backoff, 4)).toEqual([0, 50, 200, 600]);
  });

  it('a connection that ends soon after its welcome does not reset the backoff', () => {
    const backoff = new Backoff(unlucky);
    delays(backoff, 4);
    const soon = { uptimeMs: MIN_UPTIME_FOR_RESET_MS - 1, retryAfterMs: null };
    expect(backoff.nextDelayMs(soon)).toBe(1_599);
    expect(backoff.nextDelayMs(soon)).toBe(3_199);
  });

  it('a connection that lasted resets the backoff', () => {
    const backoff = new Backoff(unlucky);
    delays(backoff, 6);
    expect(backoff.nextDelayMs({ uptimeMs: MIN_UPTIME_FOR_RESET_MS, retryAfterMs: null })).toBe(99);
  });

  it('a client waits at least as long as the server asks, and a minute at most', () => {
    const backoff = new Backoff(() => 0);
    expect(backoff.nextDelayMs({ uptimeMs: null, retryAfterMs: 1_700 })).toBe(1_700);
    expect(backoff.nextDelayMs({ uptimeMs: null, retryAfterMs: 86_400_000 })).toBe(60_000);
  });

  it('the backoff stays within its bounds after thousands of failures', () => {
    const longest = Math.max(...delays(new Backoff(unlucky), 2_000));
    expect(longest).toBeLessThan(LONGEST_DELAY_MS);
  });
});
