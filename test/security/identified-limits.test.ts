/** With AUTH the proven user counts, and before identity the address. */
import { afterAll, beforeEach, expect, it } from 'vitest';
import { newIdentities, showing } from '../support/instance/identities.ts';
import { startInstance } from '../support/instance/instance.ts';
import { started } from '../support/instance/started.ts';

const identities = newIdentities();
afterAll(() => identities.close());
const [instance] = started(() =>
  startInstance({
    ...identities.environment,
    TRUST_PROXY: '1',
    RATE_REQUESTS_PER_MINUTE: '3',
    RATE_FAILED_CREDENTIALS_PER_MINUTE: '2',
  }),
);

let address: string;
let tests = 0;
beforeEach(() => {
  tests += 1;
  address = `192.0.2.${tests}`;
});

async function statusOf(bearer: string | null, more: Readonly<Record<string, string>> = {}): Promise<number> {
  const response = await fetch(`${instance.http}/api/sessions`, {
    headers: { 'x-forwarded-for': address, ...(bearer === null ? {} : showing(bearer)), ...more },
  });
  await response.arrayBuffer();
  return response.status;
}

async function statusesOf(bearer: string | null, times: number): Promise<readonly number[]> {
  const statuses: number[] = [];
  for (let time = 0; time < times; time += 1) statuses.push(await statusOf(bearer));
  return statuses;
}

it('users behind one address have a rate of requests each, as has a user of another tenant with the same id', async () => {
  const [ada, bob] = [await identities.token('ada'), await identities.token('bob')];
  expect(await statusesOf(ada, 4)).toEqual([200, 200, 200, 429]);
  expect(await statusesOf(bob, 3)).toEqual([200, 200, 200]);
  expect(await statusesOf(await identities.token('ada', { tenant: 'acme' }), 3)).toEqual([200, 200, 200]);
  address = '198.51.100.1';
  expect(await statusOf(ada)).toBe(429);
});

it('clients without a credential share the rate of their address, and take nothing from its users', async () => {
  expect(await statusesOf(null, 4)).toEqual([401, 401, 401, 429]);
  expect(await statusOf(await identities.token('carol'))).toBe(200);
});

it('after too many refused credentials an address is refused before a credential is checked, and no other address is', async () => {
  expect(await statusesOf('forged', 3)).toEqual([401, 401, 429]);
  const dora = await identities.token('dora');
  expect(await statusOf(dora)).toBe(429);
  address = '198.51.100.2';
  expect(await statusOf(dora)).toBe(200);
});
