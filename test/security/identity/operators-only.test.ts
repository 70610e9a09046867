/** What a running instance with AUTH shows to operators alone, or to the owner of a session alone. */
import { describe, expect, it } from 'vitest';
import { healthSchema } from '../../../src/http/operations/operations-routes.ts';
import { TestClient } from '../../support/instance/client.ts';
import { get } from '../../support/instance/http.ts';
import { startInstance } from '../../support/instance/instance.ts';
import { startRedis } from '../../support/instance/redis-server.ts';
import { started } from '../../support/instance/started.ts';
import { CALLERS, headersOf, OWNER, openIdentities, TENANT } from './matrix-scene.ts';

const [known] = started(openIdentities);
const [redis] = started(startRedis);
const launch = () =>
  startInstance({
    REDIS_URL: redis.url,
    DATA_DIR: ':memory:',
    ...known.environment,
    RATE_FAILED_CREDENTIALS_PER_MINUTE: '0',
    RATE_GUESSES_PER_MINUTE: '0',
  });
const [instance] = started(launch);

describe('/healthz with AUTH', () => {
  const OPERATORS = ['auditor', 'admin', 'admin of another tenant'];

  it.each(CALLERS)('/healthz names store, model and instance only to operators: %s', async (caller) => {
    const { status, body } = await get(`${instance.http}/healthz`, { headers: headersOf(known.of(caller)) });
    expect(status).toBe(200);
    const health = healthSchema.parse(body);
    if (OPERATORS.includes(caller))
      expect(health).toMatchObject({ store: { ok: true }, upstream: 'simulator' });
    else expect(health).toEqual({ status: 'ok', draining: false });
  });
});

describe('the client_id of a session with AUTH', () => {
  it('only the owner of a session, and a back end that acts for the owner, see its client_id', async () => {
    const token = await known.token(OWNER, { tenant: TENANT });
    const client = await TestClient.greet(instance.url, { token, client_id: 'tablet-7' });
    const { sessionId } = client;
    const shares = `${instance.http}/api/session/${sessionId}/shares`;
    for (const [user_id, access] of [
      ['rene', 'read'],
      ['wanda', 'write'],
    ] as const) {
      const headers = { ...headersOf(known.of('owner')), 'content-type': 'application/json' };
      await get(shares, { method: 'POST', headers, body: JSON.stringify({ user_id, access }) });
    }
    const seen = async (path: string, caller: (typeof CALLERS)[number]) => {
      const { status, body } = await get(`${instance.http}${path}`, { headers: headersOf(known.of(caller)) });
      const { sessions = [body] } = body as { readonly sessions?: readonly unknown[] };
      const [one] = sessions as readonly { readonly client_id: unknown }[];
      return [status, one?.client_id];
    };
    for (const [caller, shown] of [
      ['owner', 'tablet-7'],
      ['service', 'tablet-7'],
      ['read guest', null],
      ['write guest', null],
      ['auditor', null],
      ['admin', null],
    ] as const)
      expect([caller, ...(await seen(`/api/session/${sessionId}`, caller))]).toEqual([caller, 200, shown]);
    for (const [caller, shown] of [
      ['owner', 'tablet-7'],
      ['auditor', null],
      ['admin', null],
    ] as const)
      expect([caller, ...(await seen('/api/sessions', caller))]).toEqual([caller, 200, shown]);
    // A back end may name the user in the query in place of the header.
    const { bearer } = known.of('service');
    const headers = headersOf({ bearer });
    const list = await get(`${instance.http}/api/sessions?user_id=${OWNER}`, { headers });
    expect(list.body).toMatchObject({ sessions: [{ session_id: sessionId, client_id: 'tablet-7' }] });
    await client.close();
  });
});
