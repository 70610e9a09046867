/**
 * Limits bound how often a client connects, asks, guesses and fails to prove itself, in points per key and minute. A minute begins with the first
 * point that is taken, and returns all points at its end. Each instance counts on its own (docs/adr/0011).
 */
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { Config } from '../config/config.ts';
import type { LimitName } from '../telemetry/metrics.ts';
import { networkOf } from './client-address.ts';

export interface Limit {
  /** Takes a point. Resolves to 0, or to the ms until a point is left. */
  take(name: string): Promise<number>;
  /** The ms until a point is left, or 0; takes none. */
  wait(name: string): Promise<number>;
  /** Takes a point for something that has already happened, even if none is left. */
  spend(name: string): void;
}

/** A limit that is off is null, so that its callers on the path of each message do not await. */
export type Limits = { readonly [name in LimitName]: Limit | null };

const MINUTE_S = 60;

/** `limited` is called for each refusal. */
export function openLimits(rates: Config['limits'], limited: (limit: LimitName) => void): Limits {
  const byAddress = (perMinute: number, name: LimitName) =>
    openLimit(perMinute, () => limited(name), networkOf);
  return {
    connections: byAddress(rates.connectionsPerMinute, 'connections'),
    requests: byAddress(rates.requestsPerMinute, 'requests'),
    messages: openLimit(rates.messagesPerMinute, () => limited('messages')),
    guesses: byAddress(rates.guessesPerMinute, 'guesses'),
    credentials: byAddress(rates.failedCredentialsPerMinute, 'credentials'),
  };
}

export const unlimited: Limits = {
  connections: null,
  requests: null,
  messages: null,
  guesses: null,
  credentials: null,
};

/** Users of different tenants may have the same id. */
export interface Sender {
  readonly userId: string | null | undefined;
  /** Absent or empty: the default tenant. */
  readonly tenant?: string;
}

/** The key of the message limit. The prefixes keep a user from spending a session's points by taking its id as a name. */
export function senderKey({ userId, tenant }: Sender, sessionId: string): string {
  return userId === null || userId === undefined ? `session ${sessionId}` : userKey(userId, tenant);
}

/** The key of an identified user, in a form that is neither an address nor the key of a user of another tenant. */
export function userKey(userId: string, tenant = ''): string {
  return tenant === '' ? `user ${userId}` : `user@${tenant} ${userId}`;
}

/** Names with the same `keyOf` share their points. */
export function openLimit(
  perMinute: number,
  refused: () => void,
  keyOf: (name: string) => string = (name) => name,
): Limit | null {
  if (perMinute === 0) return null;
  const limiter = new RateLimiterMemory({ points: perMinute, duration: MINUTE_S });
  const refuse = ({ msBeforeNext }: RateLimiterRes): number => {
    refused();
    // The library counts by the wall clock but forgets by a timer: a clock that was set back gives too long a wait.
    return Math.min(Math.max(1, Math.ceil(msBeforeNext)), MINUTE_S * 1_000);
  };
  return {
    async take(name) {
      try {
        await limiter.consume(keyOf(name));
        return 0;
      } catch (refusal) {
        if (refusal instanceof RateLimiterRes) return refuse(refusal);
        throw refusal;
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
