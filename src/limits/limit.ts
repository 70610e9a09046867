/**
 * So much per key and minute. A minute begins with the first point that is taken, and gives all of them back at its end.
 * Counted in this process' memory: instances do not know of each other's counts (docs/adr/0011).
 */
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';

export interface Limit {
  /** Takes a point: 0 where there was one left, else the ms until there is. */
  take(name: string): Promise<number>;
  /** The ms until there is a point left, 0 where there is one; takes none. */
  wait(name: string): Promise<number>;
  /** Takes a point for what has happened already, whether or not one is left. */
  spend(name: string): void;
}

const MINUTE_S = 60;

/**
 * Null where nothing is limited, so that whoever asks on a busy road need not wait for an answer. Names for which
 * `keyOf` gives the same key are counted as one.
 */
export function openLimit(
  perMinute: number,
  refused: () => void,
  keyOf: (name: string) => string = (name) => name,
): Limit | null {
  if (perMinute === 0) return null;
  const limiter = new RateLimiterMemory({ points: perMinute, duration: MINUTE_S });
  const refuse = ({ msBeforeNext }: RateLimiterRes): number => {
    refused();
    // The library reckons by the wall clock, but forgets by a timer: set back meanwhile, that clock says too much.
    return Math.min(Math.max(1, Math.ceil(msBeforeNext)), MINUTE_S * 1_000);
  };
  return {
    async take(name) {
      try {
        await limiter.consume(keyOf(name));
        return 0;
      } catch (verdict) {
        if (verdict instanceof RateLimiterRes) return refuse(verdict);
        throw verdict;
      }
    },
    async wait(name) {
      const spent = await limiter.get(keyOf(name));
      const isOver = spent === null || spent.msBeforeNext <= 0;
      return isOver || spent.consumedPoints < perMinute ? 0 : refuse(spent);
    },
    spend(name) {
      void limiter.penalty(keyOf(name));
    },
  };
}
