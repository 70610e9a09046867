/**
 * Rates resolves the limits per minute. A service that reads credentials serves strangers, so its rates are on by default.
 * Without credentials only this machine reaches it, and many programs share one address.
 */
import type { Settings } from './settings.ts';
import type { Environment } from './variables.ts';

const WITH_CREDENTIALS = {
  connections: 600,
  requests: 1_200,
  messages: 120,
  guesses: 60,
  credentials: 30,
} as const;

const WITHOUT: { readonly [name in keyof typeof WITH_CREDENTIALS]: number } = {
  connections: 0,
  requests: 0,
  messages: 0,
  guesses: 0,
  credentials: 0,
};

export function readsCredentials({ AUTH: auth = '' }: Environment): boolean {
  return !['', 'off'].includes(auth.trim());
}

/** A value that the operator set wins, 0 included. */
export function ratesOf(values: Settings, readsCredentials: boolean) {
  const fallback = readsCredentials ? WITH_CREDENTIALS : WITHOUT;
  return {
    connectionsPerMinute: values.RATE_CONNECTIONS_PER_MINUTE ?? fallback.connections,
    requestsPerMinute: values.RATE_REQUESTS_PER_MINUTE ?? fallback.requests,
    messagesPerMinute: values.RATE_MESSAGES_PER_MINUTE ?? fallback.messages,
    guessesPerMinute: values.RATE_GUESSES_PER_MINUTE ?? fallback.guesses,
    failedCredentialsPerMinute: values.RATE_FAILED_CREDENTIALS_PER_MINUTE ?? fallback.credentials,
  };
}
