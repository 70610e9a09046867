/** What a proven user can do to the session of another user: nothing that its owner or the store could notice. */
import { randomUUID } from 'node:crypto';
import { afterAll, expect, it } from 'vitest';
import { TestClient } from '../../support/instance/client.ts';
import { get } from '../../support/instance/http.ts';
import { newIdentities, showing } from '../../support/instance/identities.ts';
import { startInstance } from '../../support/instance/instance.ts';
import { witness } from '../../support/instance/observed.ts';
import { startRedis } from '../../support/instance/redis-server.ts';
import { started } from '../../support/instance/started.ts';

const identities = newIdentities();
afterAll(() => identities.close());
// Before the instances start: they know no new key until they look at the file again.
const portal = identities.apiKey('portal', 'service');
const [redis] = started(startRedis);
const launch = () =>
  startInstance({
    ...identities.environment,
    REDIS_URL: redis.url,
    LEASE_MS: '120000',
    HIBERNATE_MS: '120000',
    SIMULATOR_TOKENS: '6',
    SIMULATOR_TOKENS_PER_SECOND: '0',
  });
const [one, two] = started(launch, launch);
const [seen] = started(() => witness(redis.url));

/** The error after a hello that names the session. */
async function refusal(url: string, user: string, session_id: string, more: object = {}) {
  const client = await TestClient.open(url);
  client.send({ type: 'hello', session_id, token: await identities.token(user), ...more });
  const error = await client.waitForType('error');
  await client.close();
  return error;
}

it('a hello of a user without access writes nothing to the session, on its instance and on any other', async () => {
  const owner = await TestClient.greet(one.url, { token: await identities.token('olga') });
  const { sessionId } = owner;
  for (const { url } of [one, two]) {
    await seen.caughtUp();
    const before = seen.calls.length;
    for (const after of [undefined, 0, 9_999])
      expect(await refusal(url, 'mallory', sessionId, { after, client_id: 'c' })).toMatchObject({
        code: 'session_not_found',
      });
    // The owner's next input would come after anything that the refused hellos have left behind.
    owner.send({ type: 'extend' });
    await owner.waitForType('extended');
    await seen.caughtUp();
    const written = seen.calls
      .slice(before)
      .filter((words) => words.some((word) => word.includes(sessionId)))
      .filter((words) => words.some((word) => word.includes('detach') || word.includes('"kind')));
    expect(written).toEqual([]);
  }
  await owner.close();
});

it('a hello with an unknown session id gets the same error as one with the id of a foreign session', async () => {
  const owner = await TestClient.greet(one.url, { token: await identities.token('olga') });
  const foreign = owner.sessionId;
  for (const id of [foreign, foreign.toUpperCase()])
    for (const { url } of [one, two])
      expect(await refusal(url, 'mallory', id)).toEqual(await refusal(url, 'mallory', randomUUID()));
  await owner.close();
});

it('a back end that lists sessions without naming a user is refused, and the answer says where to name it', async () => {
  const sessions = `${one.http}/api/sessions`;
  const unnamed = await get(sessions, { headers: showing(portal) });
  expect(unnamed).toMatchObject({ status: 400, body: { error: { code: 'bad_request' } } });
  expect(JSON.stringify(unnamed.body)).toContain('in the query or in the header rehydra-user');
  const named = await get(sessions, { headers: { ...showing(portal), 'rehydra-user': 'olga' } });
  expect(named.status).toBe(200);
});
