/** What is limited, and by whom it is counted. Each may be off. */
import type { Config } from '../config/config.ts';
import type { LimitName } from '../telemetry/metrics.ts';
import { networkOf } from './client-address.ts';
import { type Limit, openLimit } from './limit.ts';

export type Limits = { readonly [name in LimitName]: Limit | null };

/** `limited` is told of every refusal. */
export function openLimits(rates: Config['limits'], limited: (limit: LimitName) => void): Limits {
  const byAddress = (perMinute: number, name: LimitName) =>
    openLimit(perMinute, () => limited(name), networkOf);
  return {
    connections: byAddress(rates.connectionsPerMinute, 'connections'),
    requests: byAddress(rates.requestsPerMinute, 'requests'),
    messages: openLimit(rates.messagesPerMinute, () => limited('messages')),
    guesses: byAddress(rates.guessesPerMinute, 'guesses'),
  };
}

export const unlimited: Limits = { connections: null, requests: null, messages: null, guesses: null };

/** Whose messages these are. The two kinds of names must not meet: anybody may call themselves what they like. */
export function speakerOf(userId: string | null | undefined, sessionId: string): string {
  return userId === null || userId === undefined ? `session ${sessionId}` : `user ${userId}`;
}
