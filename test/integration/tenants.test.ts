/** Three tenants with the same user name, on two instances on Redis that share an archive. Each has its own world. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { get, type Reply } from '../support/instance/http.ts';
import { newIdentities, showing } from '../support/instance/identities.ts';
import { type Instance, startInstance } from '../support/instance/instance.ts';
import { eventually, witness } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

const folder = mkdtempSync(join(tmpdir(), 'rehydra-tenants-'));
const identities = newIdentities();
afterAll(() => {
  identities.close();
  rmSync(folder, { recursive: true, force: true });
});

const [redis] = started(startRedis);
const launch = () =>
  startInstance({
    ...identities.environment,
    REDIS_URL: redis.url,
    DATA_DIR: folder,
    LEASE_MS: '120000',
    HIBERNATE_MS: '120000',
    SIMULATOR_TOKENS: '6',
    SIMULATOR_TOKENS_PER_SECOND: '0',
    SESSIONS_PER_USER_MAX: '2',
  });
const [one, two] = started(launch, launch);
const [seen] = started(() => witness(redis.url));

/** Undefined: the default tenant. */
const TENANTS = [undefined, 'acme', 'acme.eu'] as const;
type Tenant = (typeof TENANTS)[number];

const tokenOf = (tenant: Tenant, subject = 'ann', role: 'user' | 'admin' = 'user') =>
  identities.token(subject, { role, ...(tenant !== undefined && { tenant }) });
const asAdmin = async (tenant: Tenant) => showing(await tokenOf(tenant, 'root', 'admin'));

async function connect(instance: Instance, tenant: Tenant, fields: object = {}): Promise<TestClient> {
  return TestClient.greet(instance.url, { token: await tokenOf(tenant), after: 0, ...fields });
}

async function read(tenant: Tenant, path: string, instance = two): Promise<Reply> {
  return get(`${instance.http}${path}`, { headers: await asAdmin(tenant) });
}

interface Found {
  readonly sessions: readonly { readonly session_id: string }[];
}
interface Figures {
  readonly live: { readonly sessions: number };
  readonly ended: { readonly turns: number };
}
const idsIn = ({ body }: Reply): readonly string[] =>
  (body as Found).sessions.map(({ session_id }) => session_id);

/** A new session of ann with one turn, in each tenant. */
async function converse(content: string): Promise<readonly TestClient[]> {
  const clients = await Promise.all(TENANTS.map((tenant) => connect(one, tenant)));
  for (const client of clients) {
    client.message('m', content);
    await client.completed('m');
  }
  return clients;
}

describe('living sessions of tenants', () => {
  let clients: readonly TestClient[];
  beforeAll(async () => {
    clients = await converse('a living headache');
  }, 60_000);
  afterAll(async () => {
    for (const [index, client] of clients.entries()) {
      await client.close();
      const headers = await asAdmin(TENANTS[index]);
      const path = `/api/session/${client.sessionId}?erase=true`;
      await get(`${one.http}${path}`, { method: 'DELETE', headers });
    }
  });

  it('an administrator lists and counts the sessions of their own tenant only', async () => {
    for (const [index, tenant] of TENANTS.entries()) {
      const own = [clients[index]!.sessionId];
      for (const query of ['', '?user_id=ann', '?state=connected', '?state=connected&user_id=ann'])
        expect(idsIn(await read(tenant, `/api/sessions${query}`))).toEqual(own);
      expect(idsIn(await read(tenant, '/api/sessions?user_id=ben'))).toEqual([]);
      const { body } = await read(tenant, '/api/analytics');
      expect(body).toMatchObject({ live: { sessions: 1, by_state: { connected: 1 } } });
    }
  });

  it('an administrator gets the same answer for a session of another tenant as for one that never was', async () => {
    const paths = ['', '/transcript', '/history', '/shares'];
    for (const path of paths) {
      const [foreign, absent] = await Promise.all(
        [clients[0]!.sessionId, randomUUID()].map((id) => read('acme', `/api/session/${id}${path}`)),
      );
      expect([foreign?.status, absent?.status]).toEqual([404, 404]);
    }
  });

  it('a user gets the same answer for a session of their namesake in another tenant as for one that never was', async () => {
    for (const instance of [one, two]) {
      const answers = await Promise.all(
        [clients[0]!.sessionId, randomUUID()].map(async (session_id) => {
          const client = await TestClient.open(instance.url);
          client.send({ type: 'hello', session_id, token: await tokenOf('acme'), after: 0 });
          const error = await client.waitForType('error');
          await client.close();
          return error;
        }),
      );
      expect(answers[0]).toEqual(answers[1]);
      expect(answers[0]).toMatchObject({ code: 'session_not_found' });
    }
  });

  it('the sessions of a namesake in another tenant do not count for a user’s limit', async () => {
    const second = await connect(two, 'acme');
    const third = await TestClient.open(two.url);
    third.send({ type: 'hello', token: await tokenOf('acme') });
    expect(await third.waitForType('error')).toMatchObject({ code: 'too_many_sessions' });
    const other = await connect(two, 'acme.eu');
    for (const client of [second, other]) {
      client.send({ type: 'close' });
      await client.closed;
    }
  });

  /** The calls of Redis that name the session while its client extends it five times. */
  async function callsOfInputs(client: TestClient): Promise<number> {
    const count = async () => {
      await seen.caughtUp();
      return seen.calls.filter((words) => words.some((word) => word.includes(client.sessionId))).length;
    };
    const before = await count();
    for (let n = 0; n < 5; n += 1) {
      client.send({ type: 'extend' });
      await client.waitForType('extended');
    }
    return (await count()) - before;
  }

  it('an input to a session of a tenant costs one call of Redis, as in the default tenant', async () => {
    for (const tenant of TENANTS) {
      const client = await connect(one, tenant);
      expect(await callsOfInputs(client)).toBe(5);
      client.send({ type: 'close' });
      await client.closed;
    }
  });

  it('a client that may not enter a session does not move it to another instance', async () => {
    const client = await connect(one, 'acme');
    const stranger = await TestClient.open(two.url);
    const token = await tokenOf('acme.eu');
    stranger.send({ type: 'hello', session_id: client.sessionId, token });
    await stranger.waitForType('error');
    await stranger.close();
    // The instance of a session makes one call for an input, and any other instance makes several.
    expect(await callsOfInputs(client)).toBe(5);
    client.send({ type: 'close' });
    await client.closed;
  });
});

describe('ended conversations of tenants', () => {
  it('an erasure of a user in one tenant leaves living and ended sessions of their namesakes in other tenants', async () => {
    const ended = await converse('an ended zebrafish');
    for (const client of ended) {
      client.send({ type: 'close' });
      await client.closed;
    }
    const living = await converse('a living zebrafish');
    const hits = async (tenant: Tenant) =>
      idsIn(await read(tenant, '/api/archive?text=zebrafish&user_id=ann'));
    for (const [index, tenant] of TENANTS.entries()) {
      await eventually(
        'the archive',
        () => hits(tenant),
        (ids) => ids.length === 1,
      );
      expect(await hits(tenant)).toEqual([ended[index]!.sessionId]);
      expect(idsIn(await read(tenant, '/api/archive/export?text=zebrafish'))).toEqual(await hits(tenant));
      const others = ended.filter((_, other) => other !== index);
      for (const { sessionId } of others)
        expect((await read(tenant, `/api/archive/${sessionId}`)).status).toBe(404);
      // Instances count the archive once in three seconds.
      await eventually(
        'the figures',
        async () => (await read(tenant, '/api/analytics')).body as Figures,
        ({ live, ended }) => live.sessions === 1 && ended.turns === 1,
      );
    }

    const headers = await asAdmin('acme');
    const erased = await get(`${two.http}/api/users/ann`, { method: 'DELETE', headers });
    expect(erased).toMatchObject({ status: 200, body: { live_sessions: 1, archived_sessions: 1 } });
    expect(await living[1]!.closed).toMatchObject({ code: 4011 });
    expect(await hits('acme')).toEqual([]);
    for (const index of [0, 2]) {
      expect(await hits(TENANTS[index])).toEqual([ended[index]!.sessionId]);
      expect(living[index]!.isOpen).toBe(true);
    }

    const foreign = `${two.http}/api/session/${living[0]!.sessionId}?erase=true`;
    expect(await get(foreign, { method: 'DELETE', headers })).toMatchObject({
      status: 200,
      body: { live: false, archived_lives: 0 },
    });
    expect(living[0]!.isOpen).toBe(true);
    await Promise.all(living.map((client) => client.close()));
  });
});
