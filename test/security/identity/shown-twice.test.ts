/** A client that names itself twice is refused: a program in front of the service may have checked only one of the two. */
import { afterAll, expect, it } from 'vitest';
import { get } from '../../support/instance/http.ts';
import { newIdentities, showing } from '../../support/instance/identities.ts';
import { startInstance } from '../../support/instance/instance.ts';
import { started } from '../../support/instance/started.ts';
import { headOf, sendRaw } from '../wire/raw-http.ts';

const identities = newIdentities();
const portal = identities.apiKey('portal', 'service');
afterAll(() => identities.close());
const [instance] = started(() =>
  startInstance({ ...identities.environment, RATE_FAILED_CREDENTIALS_PER_MINUTE: '3' }),
);

it('a service that names two users in two lines of a header is refused', async () => {
  const request = (...users: readonly string[]) =>
    headOf(
      'GET',
      '/api/sessions',
      `authorization: Bearer ${portal}`,
      ...users.map((user) => `rehydra-user: ${user}`),
    );
  expect((await sendRaw(instance.port, request('ann'))).statuses).toEqual([200]);
  for (const users of [
    ['ann', 'ben'],
    ['ann', 'ann'],
    ['', 'ben'],
  ])
    expect((await sendRaw(instance.port, request(...users))).statuses).toEqual([400]);
});

it('a socket that offers two bearers is refused, in one line of the header or in two', async () => {
  const [ann, ben] = await Promise.all(['ann', 'ben'].map((user) => identities.token(user)));
  const upgrade = (...lines: readonly string[]) =>
    headOf(
      'GET',
      '/v1/session',
      'connection: upgrade',
      'upgrade: websocket',
      'sec-websocket-version: 13',
      'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
      ...lines.map((line) => `sec-websocket-protocol: ${line}`),
    );
  const offer = `rehydra.v1, rehydra.bearer.${ann}`;
  const other = `rehydra.bearer.${ben}`;
  expect((await sendRaw(instance.port, upgrade(offer))).statuses).toEqual([101]);
  expect((await sendRaw(instance.port, upgrade(`${offer}, ${other}`))).statuses).toEqual([401]);
  expect((await sendRaw(instance.port, upgrade(offer, other))).statuses).toEqual([401]);
});

it('an address that has failed too often gets no credential verified, not even on a route that is open to everyone', async () => {
  const admin = showing(await identities.token('root', { role: 'admin' }));
  const health = async () => (await get(`${instance.http}/healthz`, { headers: admin })).body;
  expect(await health()).toHaveProperty('store');
  for (let n = 0; n < 4; n += 1) await get(`${instance.http}/healthz`, { headers: showing('forged') });
  expect(await health()).toEqual({ status: 'ok', draining: false });
});
