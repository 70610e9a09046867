/** A Redis user with exactly the documented rights serves everything, and an instance that lacks one of them is not ready. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRedisStore } from '../../src/store/redis/open.ts';
import { aclRule, OPTIONAL_COMMANDS, REQUIRED_COMMANDS } from '../../src/store/redis/server/acl.ts';
import { created, OPTIONS } from '../conformance/store-fixture.ts';
import { type Instance, runToEnd, startInstance } from '../support/instance/instance.ts';
import { eventually } from '../support/instance/observed.ts';
import { type RedisServer, startRedis, startRedisCluster } from '../support/instance/redis-server.ts';

const PASSWORD = 'p/@ss word';
const USER = `rehydra:${encodeURIComponent(PASSWORD)}`;

async function allow(operator: Redis, ...rules: readonly string[]): Promise<void> {
  await operator.call('ACL', 'SETUSER', 'rehydra', ...rules);
}

const documented = () => ['reset', 'on', `>${PASSWORD}`, ...aclRule().split(' ')];

describe('a Redis user with the documented rights', () => {
  let redis: RedisServer;
  let operator: Redis;
  let instances: readonly [Instance, Instance];
  let url: string;
  const environment = (): Record<string, string> => ({
    REDIS_URL: url,
    LEASE_MS: '500',
    HIBERNATE_MS: '100',
    SIMULATOR_TOKENS: '12',
    SIMULATOR_TOKENS_PER_SECOND: '0',
  });

  beforeAll(async () => {
    redis = await startRedis({ appendonly: 'everysec', args: ['--save', '3600', '1'] });
    operator = new Redis(redis.url);
    await allow(operator, ...documented());
    url = `redis://${USER}@127.0.0.1:${redis.port}`;
    instances = [await startInstance(environment()), await startInstance(environment())];
  }, 60_000);
  afterAll(async () => {
    await Promise.all((instances ?? []).map((instance) => instance.stop()));
    operator?.disconnect();
    await redis?.stop();
  });

  const send = async (instance: Instance, method: string, path: string, body?: object) => {
    const headers = { 'content-type': 'application/json' };
    const text = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(`${instance.http}${path}`, { method, headers, ...text });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const ready = async () => (await send(instances[0], 'GET', '/readyz')).status;
  const refused = async () => (await operator.call('ACL', 'LOG')) as unknown[];

  it('a Redis user with the documented rights serves a conversation on two instances, its listing, its share, its end and its erasure', async () => {
    const [first, second] = instances;
    const sessionId = randomUUID();
    const ask = (instance: Instance) =>
      send(instance, 'POST', '/api/protocol', {
        session_id: sessionId,
        user_id: 'ana',
        chief_complaint: 'cough',
      });
    expect(await ready()).toBe(200);
    for (const instance of [first, second, first]) expect((await ask(instance)).status).toBe(200);
    expect((await send(second, 'GET', '/api/sessions?user_id=ana')).body).toMatchObject({ count: 1 });
    expect((await send(second, 'GET', `/api/session/${sessionId}/transcript`)).status).toBe(200);
    expect((await send(second, 'GET', '/api/analytics')).status).toBe(200);
    const invitation = { user_id: 'ben', access: 'read', invited_by: 'ana', expires_in_ms: 60_000 };
    expect((await send(second, 'POST', `/api/session/${sessionId}/shares`, invitation)).status).toBeLessThan(
      300,
    );
    const sleeping = async () => (await operator.hget(await keyOf(operator, sessionId), 'token')) ?? '';
    await eventually('the session sleeps', sleeping, (token) => token === '' || token.startsWith('-'));
    expect((await ask(second)).status).toBe(200);
    expect((await send(first, 'DELETE', `/api/session/${sessionId}`)).status).toBe(200);
    expect((await ask(first)).status).toBe(200);
    expect(await send(second, 'DELETE', '/api/users/ana')).toMatchObject({
      status: 200,
      body: { live_sessions: 1 },
    });
    const logs = instances.flatMap((instance) => instance.logs);
    expect(logs.filter((line) => /forbid|may not run|NOPERM/.test(line))).toEqual([]);
    expect(await refused()).toEqual([]);
  }, 60_000);

  it('a Redis user with the documented rights moves sessions to another store and back', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rehydra-acl-'));
    const store = await openRedisStore({ ...OPTIONS, url });
    const { sessionId, fence } = await created(store, 'a');
    await store.release(fence, false);
    const move = (from: string, to: string) =>
      runToEnd('migrate.js', { LEASE_MS: '500' }, ['--from', from, '--to', to, '--validate']);
    expect(await move(url, `sqlite:${folder}`)).toMatchObject({ code: 0 });
    expect(await store.discard(sessionId)).toBe('discarded');
    expect(await move(`sqlite:${folder}`, url)).toMatchObject({ code: 0 });
    expect(await store.read(sessionId)).toMatchObject({ version: 1 });
    await store.discard(sessionId);
    await store.close();
    rmSync(folder, { recursive: true, force: true });
    expect(await refused()).toEqual([]);
  }, 60_000);

  it.each(REQUIRED_COMMANDS.map((command) => command.toLowerCase()))(
    'an instance whose Redis user may not run %s is not ready, and is ready again with it',
    async (command) => {
      await allow(operator, `-${command}`);
      expect(await ready()).toBe(503);
      await allow(operator, `+${command}`);
      expect(await ready()).toBe(200);
    },
  );

  it.each([
    ['the keys of sessions', ['resetkeys', '~rehydra:i*', '~rehydra:purge']],
    ['the key of instances', ['resetkeys', '~rehydra:{*', '~rehydra:purge']],
    ['a key for writing', ['resetkeys', '%R~rehydra:*']],
    ['the channels of sessions', ['resetchannels', '&rehydra:i:*']],
    ['the channels of instances', ['resetchannels', '&rehydra:{*']],
  ])('an instance whose Redis user may not use %s is not ready', async (_what, rules) => {
    await allow(operator, ...rules);
    expect(await ready()).toBe(503);
    await allow(operator, 'resetkeys', '~rehydra:*', 'resetchannels', '&rehydra:*');
    await eventually('the instance', ready, (status) => status === 200);
  });

  it('an instance is ready although its Redis forbids the commands that only an erasure or a warning needs', async () => {
    for (const command of OPTIONAL_COMMANDS) {
      await allow(operator, `-${command.toLowerCase()}`);
      expect(await ready()).toBe(200);
      await allow(operator, `+${command.toLowerCase()}`);
    }
  });

  it('an instance that starts without a right names it in its log and on /healthz', async () => {
    await allow(operator, '-hmget', '-lset');
    const instance = await startInstance(environment());
    const lacks = 'the Redis user may not run HMGET rehydra:{b000}:s:probe, LSET rehydra:{b000}:s:probe';
    expect(instance.logs.some((line) => line.includes(lacks))).toBe(true);
    const health = await send(instance, 'GET', '/healthz');
    expect(health.body).toMatchObject({
      store: { ok: false, detail: expect.stringContaining('OPERATIONS.md') },
    });
    await allow(operator, '+hmget', '+lset');
    await instance.stop();
  });
});

it('a Redis user with the documented rights serves a session on a Redis Cluster', async () => {
  const cluster = await startRedisCluster();
  for (const node of cluster.nodes) {
    const operator = new Redis(node.url);
    await allow(operator, ...documented());
    operator.disconnect();
  }
  const hosts = cluster.nodes.map(({ port }) => `127.0.0.1:${port}`).join(',');
  const store = await openRedisStore({ ...OPTIONS, url: `redis+cluster://${USER}@${hosts}` });
  expect(await store.health()).toMatchObject({ ok: true });
  const { sessionId } = await created(store, 'a');
  await store.watch(sessionId);
  expect(await store.read(sessionId)).toMatchObject({ version: 1 });
  expect(await store.countOfUser('ana', 5)).toBe(0);
  await store.close();
  await cluster.stop();
}, 90_000);

async function keyOf(operator: Redis, sessionId: string): Promise<string> {
  const [key = ''] = await operator.keys(`rehydra:{*}:s:${sessionId}`);
  return key;
}
