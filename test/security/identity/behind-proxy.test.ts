/** With `AUTH=proxy` alone, `Authorization` is between client and proxy: many proxies check a password, and pass it on. */
import { expect, it } from 'vitest';
import { TestClient } from '../../support/instance/client.ts';
import { get } from '../../support/instance/http.ts';
import { startInstance } from '../../support/instance/instance.ts';
import { started } from '../../support/instance/started.ts';

const [instance] = started(() => startInstance({ AUTH: 'proxy', TRUST_PROXY: '127.0.0.1' }));

it('a password that a proxy passes on changes nothing about the user that the proxy names', async () => {
  for (const authorization of ['Basic YW5uOnBhc3N3b3Jk', 'Negotiate abc', 'Bearer of-the-proxy']) {
    const headers = { authorization, 'x-rehydra-user': 'ann' };
    expect((await get(`${instance.http}/api/sessions`, { headers })).status).toBe(200);
    const client = await TestClient.open(instance.url, [], headers);
    await client.hello({ user_id: 'ann' });
    await client.close();
  }
});

it('a password without a user that the proxy names proves nothing', async () => {
  const headers = { authorization: 'Basic YW5uOnBhc3N3b3Jk' };
  expect((await get(`${instance.http}/api/sessions`, { headers })).status).toBe(401);
});
