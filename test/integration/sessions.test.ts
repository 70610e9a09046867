/** Any instance reads, lists and deletes sessions over HTTP, in the shapes that the API description promises. */
import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { problemSchema } from '../../src/http/core/answer.ts';
import { asyncapiDocument } from '../../src/http/core/asyncapi.ts';
import { openapiDocument } from '../../src/http/core/openapi.ts';
import { healthSchema, readinessSchema } from '../../src/http/operations/operations-routes.ts';
import { sessionSchema } from '../../src/http/sessions/session-description.ts';
import { deletionSchema, sessionPageSchema } from '../../src/http/sessions/session-routes.ts';
import { described } from '../support/documented.ts';
import { TestClient } from '../support/instance/client.ts';
import { ask, get, problemOf } from '../support/instance/http.ts';
import { type Instance, startInstance } from '../support/instance/instance.ts';
import { eventually } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

const [redis] = started(startRedis);
const launch = () =>
  startInstance({
    REDIS_URL: redis.url,
    SIMULATOR_TOKENS: '24',
    SIMULATOR_TOKENS_PER_SECOND: '0',
  });
const [one, two] = started(launch, launch);

describe('session over HTTP', () => {
  it('either instance returns the same session record, with every field of the protocol', async () => {
    const names = { client_id: 'tablet-7', user_id: 'nurse-12', diagnosis_id: 'ICD-M25.5' };
    const { session_id } = await ask(one.http, { ...names, chief_complaint: 'knee pain' });
    const [here, there] = await Promise.all(
      [one, two].map(({ http }) => get(`${http}/api/session/${session_id}`)),
    );
    const session = sessionSchema.parse(here!.body);
    expect(there!.body).toEqual(session);
    expect(session).toMatchObject({
      session_id,
      ...names,
      state: 'idle',
      conversation_count: 1,
      is_active: true,
    });
    expect(session.expires_at).toBeLessThanOrEqual(session.absolute_expires_at);
    expect(session.last_activity_at).toBeGreaterThanOrEqual(session.created_at);
    expect(session.expires_at).toBeGreaterThan(session.last_activity_at);
    expect(JSON.stringify(session)).not.toContain('knee');
  });

  it('a session id in capitals names the same session', async () => {
    const { session_id } = await ask(one.http, { chief_complaint: 'knee pain' });
    const { status } = await get(`${two.http}/api/session/${session_id.toUpperCase()}`);
    expect(status).toBe(200);
  });

  it('a session that any instance deletes is gone on every instance when the answer arrives', async () => {
    for (const instance of [one, two]) {
      const client = await TestClient.greet(one.url);
      client.message('long', '[[fault:tps=40,tokens=4000]] a long story');
      await client.waitForType('delta');
      const url = `${instance.http}/api/session/${client.sessionId}`;
      const reply = await get(url, { method: 'DELETE' });
      expect(reply.status).toBe(200);
      expect(deletionSchema.parse(reply.body)).toEqual({ session_id: client.sessionId, deleted: true });
      for (const { http } of [one, two])
        expect((await get(`${http}/api/session/${client.sessionId}`)).status).toBe(404);
      expect(await client.closed).toMatchObject({ code: 4011 });
      expect((await get(url, { method: 'DELETE' })).status).toBe(404);
    }
  });
});

describe('session of a frozen instance', () => {
  it('deletion of a session whose instance does not answer gets 202, and the session is deleted later', async () => {
    const frozen = await startInstance({ REDIS_URL: redis.url });
    const client = await TestClient.greet(frozen.url);
    frozen.kill('SIGSTOP');
    const url = `${one.http}/api/session/${client.sessionId}`;
    const reply = await get(url, { method: 'DELETE' });
    expect(reply.status).toBe(202);
    expect(deletionSchema.parse(reply.body)).toEqual({ session_id: client.sessionId, deleted: false });
    await eventually(
      'it is gone',
      async () => (await get(url)).status,
      (status) => status === 404,
    );
    frozen.kill('SIGKILL');
    await frozen.exited;
  });
});

describe('list of sessions', () => {
  const user_id = randomUUID();
  const mine: string[] = [];
  beforeAll(async () => {
    for (let index = 0; index < 5; index += 1)
      mine.push(
        (await ask((index % 2 === 0 ? one : two).http, { user_id, chief_complaint: 'a rash' })).session_id,
      );
    await ask(one.http, { user_id: randomUUID(), chief_complaint: 'a rash' });
  });

  const page = async (instance: Instance, query: string): Promise<z.infer<typeof sessionPageSchema>> => {
    const { body } = await get(`${instance.http}/api/sessions?${query}`);
    return sessionPageSchema.parse(body);
  };

  it('the list of sessions has each session of a user on exactly one page, from whichever instance', async () => {
    const seen: string[] = [];
    let cursor: string | null = '';
    for (let turn = 0; cursor !== null; turn += 1) {
      const after: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const next = await page(turn % 2 === 0 ? one : two, `user_id=${user_id}&limit=2${after}`);
      expect(next.count).toBe(next.sessions.length);
      seen.push(...next.sessions.map((session) => session.session_id));
      cursor = next.cursor;
    }
    expect(seen.toSorted()).toEqual(mine.toSorted());
  });

  it('the list of sessions by state has only sessions in that state', async () => {
    const client = await TestClient.greet(one.url, { session_id: mine[0], user_id });
    expect((await page(two, `user_id=${user_id}&state=connected`)).sessions).toMatchObject([
      { session_id: mine[0], state: 'connected' },
    ]);
    expect((await page(two, `user_id=${user_id}&state=idle`)).count).toBe(4);
    await client.close();
  });

  it.each([
    ['state=asleep', 'state'],
    ['limit=0', 'limit'],
    ['limit=1000', 'limit'],
    ['limit=many', 'limit'],
    ['cursor=mine', 'cursor'],
  ])('the list of sessions with %s is refused with the reason', async (query, name) => {
    const reply = await get(`${one.http}/api/sessions?${query}`);
    expect(reply.status).toBe(400);
    expect(problemOf(reply).detail).toContain(name);
  });
});

describe('API description', () => {
  it('an instance serves its OpenAPI and AsyncAPI documents, made from the routes that it serves', async () => {
    const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
    expect((await get(`${one.http}/openapi.json`)).body).toEqual(json(openapiDocument(described)));
    expect((await get(`${one.http}/asyncapi.json`)).body).toEqual(json(asyncapiDocument()));
  });

  it('an instance answers every documented route, with documented errors only', async () => {
    const served = described.map(({ method, path, describe }) => ({
      method,
      path: path.replace(/:\w+/g, randomUUID()),
      schema: describe?.errorForm?.schema ?? problemSchema,
      codes: describe?.errorForm === undefined ? ['session_not_found', 'bad_request'] : describe.errors,
      successes: Object.keys(describe?.answers ?? { 200: null }).map(Number),
    }));
    for (const { method, path, schema, codes, successes } of served) {
      const posted = { body: '', headers: { 'content-type': 'application/json' } };
      const reply = await get(`${one.http}${path}`, { method, ...(method === 'POST' ? posted : {}) });
      if (reply.status === 404 || reply.status === 400)
        expect(codes, path).toContain((schema.parse(reply.body) as { error: { code: string } }).error.code);
      else expect(successes, path).toContain(reply.status);
    }
  });

  it('/healthz and /readyz have the documented shapes', async () => {
    healthSchema.parse((await get(`${one.http}/healthz`)).body);
    readinessSchema.parse((await get(`${one.http}/readyz`)).body);
  });
});
