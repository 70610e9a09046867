/** A stranger who reaches the port and knows the id of a session tries what needs no credential. */
import { afterAll, describe, expect, it } from 'vitest';
import { TestClient } from '../../support/instance/client.ts';
import { ask, get, post } from '../../support/instance/http.ts';
import { newIdentities, showing } from '../../support/instance/identities.ts';
import { type Instance, startInstance } from '../../support/instance/instance.ts';
import { startRedis } from '../../support/instance/redis-server.ts';
import { started } from '../../support/instance/started.ts';

const identities = newIdentities();
afterAll(() => identities.close());
const [redis] = started(startRedis);
const launch = () =>
  startInstance({ REDIS_URL: redis.url, ...identities.environment, SIMULATOR_TOKENS_PER_SECOND: '0' });
const [one, two] = started(launch, launch);

/** A session of alice with a question and its answer; she also says her name, which must not matter. */
async function aliceSession(): Promise<string> {
  const headers = showing(await identities.token('alice'));
  const body = { user_id: 'alice', chief_complaint: 'chest pain' };
  return (await ask(one.http, body, headers)).session_id;
}

/** What a socket answers to a hello without a credential. */
async function helloAt(instance: Instance, fields: Readonly<Record<string, unknown>>) {
  const client = await TestClient.open(instance.url);
  client.send({ type: 'hello', after: 0, ...fields });
  const { type, ...rest } = await client.waitFor(() => true, 'an answer to hello');
  await client.close();
  return { answer: 'code' in rest ? rest.code : type, frames: client.durable };
}

describe('a stranger', () => {
  it('a stranger reads nothing of a session and writes nothing into it, with or without the name of its user', async () => {
    const session_id = await aliceSession();
    for (const instance of [one, two]) {
      for (const name of [{}, { user_id: 'alice' }]) {
        const refused = { answer: 'unauthenticated', frames: [] };
        expect(await helloAt(instance, { session_id, ...name })).toEqual(refused);
        const turn = { session_id, ...name, chief_complaint: 'and now?' };
        expect((await post(`${instance.http}/api/protocol`, turn)).status).toBe(401);
      }
      expect((await get(`${instance.http}/api/session/${session_id}`)).status).toBe(401);
      expect((await get(`${instance.http}/api/session/${session_id}/transcript`)).status).toBe(401);
    }
  });

  it.each([
    ['GET', '/api/sessions'],
    ['GET', '/api/archive/export'],
    ['GET', '/api/analytics'],
    ['DELETE', '/api/users/alice'],
  ])('a stranger may not %s %s, and alice keeps her session', async (method, path) => {
    const sessionId = await aliceSession();
    const reply = await get(`${two.http}${path}`, { method });
    expect(reply.status).toBe(401);
    expect(JSON.stringify(reply.body)).not.toContain(sessionId);
    const headers = showing(await identities.token('alice'));
    expect((await get(`${two.http}/api/session/${sessionId}`, { headers })).status).toBe(200);
  });
});
