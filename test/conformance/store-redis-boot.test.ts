/** The checks of a Redis at the start of its store, and the parts of the store that need no server. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAddress, retryDelayMs } from '../../src/store/redis/connection.ts';
import { redisFailure } from '../../src/store/redis/failure.ts';
import { openRedisStore } from '../../src/store/redis/open.ts';
import { assertUsable } from '../../src/store/redis/server/boot.ts';
import { type RedisServer, startRedis, startRedisCluster } from '../support/instance/redis-server.ts';
import { created, OPTIONS } from './store-fixture.ts';

describe('at boot', () => {
  let server: RedisServer;
  let admin: Redis;
  beforeAll(async () => {
    server = await startRedis({ appendonly: 'always' });
    admin = new Redis(server.port, '127.0.0.1', { protocol: 2 });
  }, 60_000);
  afterAll(async () => {
    admin?.disconnect();
    await server?.stop();
  });

  it('the store refuses a Redis that evicts live sessions, unless the operator allows it', async () => {
    await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await expect(openRedisStore({ ...OPTIONS, url: server.url })).rejects.toThrow(/allkeys-lru.*noeviction/);
    const said: string[] = [];
    const log = (level: string, message: string) => said.push(`${level}: ${message}`);
    await (await openRedisStore({ ...OPTIONS, url: server.url, allowEviction: true, log })).close();
    await admin.config('SET', 'maxmemory-policy', 'volatile-lru');
    await (await openRedisStore({ ...OPTIONS, url: server.url, log })).close();
    expect(said.filter((line) => line.startsWith('warn: this maxmemory-policy'))).toHaveLength(2);
    await admin.config('SET', 'maxmemory-policy', 'noeviction');
  });

  it('the health of the Redis store names its durability', async () => {
    const store = await openRedisStore({ ...OPTIONS, url: server.url });
    expect(await store.health()).toMatchObject({ ok: true, kind: 'redis', durability: 'aof always' });
    await store.close();
  });

  it('the store warns of a Redis that forbids CONFIG, and works with it', async () => {
    await admin.call(
      'ACL',
      'SETUSER',
      'app',
      'on',
      '>s3cret',
      '~rehydra:*',
      '&rehydra:*',
      '+@all',
      '-config',
    );
    const said: string[] = [];
    const url = `redis://app:s3cret@127.0.0.1:${server.port}`;
    const log = (_level: string, message: string, fields: Record<string, unknown>) =>
      said.push(`${message} ${JSON.stringify(fields)}`);
    const store = await openRedisStore({ ...OPTIONS, url, log });
    expect(said.join()).toMatch(/CONFIG is forbidden/);
    expect(said.join()).not.toMatch(/s3cret/);
    expect(await store.health()).toMatchObject({ ok: true, durability: 'aof' });
    const { sessionId } = await created(store, 'a');
    await store.watch(sessionId);
    await store.close();
  });

  it('the store refuses a wrong Redis password in an error that does not repeat it', async () => {
    await admin.call('ACL', 'SETUSER', 'other', 'on', '>right', '~*', '&*', '+@all');
    const failed = openRedisStore({ ...OPTIONS, url: `redis://other:wr0ng@127.0.0.1:${server.port}` });
    const error = await failed.then(
      () => null,
      (cause: Error) => cause,
    );
    expect(error).toMatchObject({ code: 'STORE_DENIED' });
    expect(error?.message).not.toMatch(/wr0ng/);
  });

  it('the store counts bucket by bucket on a Redis Cluster with a single node', async () => {
    const cluster = await startRedisCluster(1);
    const store = await openRedisStore({ ...OPTIONS, url: cluster.urls[0] ?? '' });
    const index = { state: 'idle', userId: 'ada', createdAt: 1 };
    for (let made = 0; made < 3; made += 1) await created(store, 'a', { index });
    expect(await store.countOfUser('ada', 100)).toBe(3);
    await store.close();
    await cluster.stop();
  });

  it('the store refuses a Redis older than 7', () => {
    const facts = {
      version: '6.2.14',
      runId: '',
      replicationId: '',
      isSlotted: false,
      durability: 'rdb',
      evictionPolicy: 'noeviction',
    };
    const refuse = (version: string) => () =>
      assertUsable({ ...facts, version }, 'cache:6379', false, () => {});
    expect(refuse('6.2.14')).toThrow('cache:6379 is Redis 6.2.14; Rehydra needs 7.0 or newer');
    expect(refuse('7.0.0')).not.toThrow();
    expect(refuse('8.2.1')).not.toThrow();
    expect(refuse('')).toThrow();
  });
});

describe('the parts', () => {
  it('a Redis URL names one server or the nodes of a cluster', () => {
    expect(parseAddress('redis://u:p@cache:6380/1')).toMatchObject({ kind: 'single', label: 'cache:6380' });
    expect(parseAddress('rediss+cluster://u:p%40:x@a:7000,b')).toEqual({
      kind: 'cluster',
      nodes: [
        { host: 'a', port: 7000 },
        { host: 'b', port: 6379 },
      ],
      username: 'u',
      password: 'p@:x',
      tls: true,
      label: 'a:7000,b',
    });
    expect(parseAddress('redis+cluster://a:1')).toEqual({
      kind: 'cluster',
      nodes: [{ host: 'a', port: 1 }],
      tls: false,
      label: 'a:1',
    });
    expect(() => parseAddress('http://cache')).toThrow(/redis:\/\//);
  });

  it('the delay before a reconnect grows up to a cap, with jitter', () => {
    for (const attempt of [1, 2, 5, 10, 100, 100_000]) {
      const waits = Array.from({ length: 200 }, () => retryDelayMs(attempt));
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(25);
      expect(Math.max(...waits)).toBeLessThanOrEqual(2_025);
      expect(new Set(waits).size).toBeGreaterThan(20);
    }
    expect(Math.max(...Array.from({ length: 200 }, () => retryDelayMs(1)))).toBeLessThan(200);
  });

  it('every Redis failure gets its store error code', () => {
    const codes = [
      "OOM command not allowed when used memory > 'maxmemory'.",
      "READONLY You can't write against a read only replica.",
      'MISCONF Redis is configured to save RDB snapshots',
      'LOADING Redis is loading the dataset in memory',
      'CLUSTERDOWN The cluster is down',
      'NOPERM this user has no permissions',
      'Command timed out',
      'ERR user_script:1: attempt to index a nil value',
      'connect ECONNREFUSED 127.0.0.1:1',
    ].map((message) => redisFailure(new Error(message)) as Error & { code: string });
    expect(codes.map(({ code }) => code)).toEqual([
      'STORE_OOM',
      'STORE_READONLY',
      'STORE_READONLY',
      'STORE_LOADING',
      'STORE_CLUSTERDOWN',
      'STORE_DENIED',
      'STORE_TIMEOUT',
      'STORE_REPLY',
      'STORE_UNAVAILABLE',
    ]);
    expect(redisFailure(codes[0])).toBe(codes[0]);
  });
});
