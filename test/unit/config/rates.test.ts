import { expect, it } from 'vitest';
import { ratesOf, readsCredentials } from '../../../src/config/rates.ts';
import { environmentSchema } from '../../../src/config/settings.ts';

const NONE = {
  connectionsPerMinute: 0,
  requestsPerMinute: 0,
  messagesPerMinute: 0,
  guessesPerMinute: 0,
  failedCredentialsPerMinute: 0,
};

it('a service that reads credentials limits every rate by default, and one that reads none limits no rate', () => {
  const values = environmentSchema.parse({});
  expect(ratesOf(values, false)).toEqual(NONE);
  expect(ratesOf(values, true)).toEqual({
    connectionsPerMinute: 600,
    requestsPerMinute: 1_200,
    messagesPerMinute: 120,
    guessesPerMinute: 60,
    failedCredentialsPerMinute: 30,
  });
});

it.each(['0', '7'])(
  'a rate that the operator sets wins over the default, with credentials and without: %s',
  (rate) => {
    const values = environmentSchema.parse({
      RATE_CONNECTIONS_PER_MINUTE: rate,
      RATE_REQUESTS_PER_MINUTE: rate,
      RATE_MESSAGES_PER_MINUTE: rate,
      RATE_GUESSES_PER_MINUTE: rate,
      RATE_FAILED_CREDENTIALS_PER_MINUTE: rate,
    });
    const all = Object.fromEntries(Object.keys(NONE).map((name) => [name, Number(rate)]));
    for (const readsCredentials of [true, false]) expect(ratesOf(values, readsCredentials)).toEqual(all);
  },
);

it.each([
  [{}, false],
  [{ AUTH: '' }, false],
  [{ AUTH: 'off' }, false],
  [{ AUTH: 'jwt' }, true],
  [{ AUTH: 'keys, proxy' }, true],
])('a service reads credentials if AUTH names a way to prove them: %o', (environment, reads) => {
  expect(readsCredentials(environment)).toBe(reads);
});
