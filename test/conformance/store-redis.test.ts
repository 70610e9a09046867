import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bucketOf, type Store } from '../../src/store/contract.ts';
import { sessionKeys } from '../../src/store/redis/keys.ts';
import { openRedisStore } from '../../src/store/redis/open.ts';
import { startProxy, type TcpProxy } from '../support/instance/proxy.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';
import { created, frames, OPTIONS } from './store-fixture.ts';
import { describeLostReplies, type ShakyLine } from './store-lost-replies.ts';
import { redisFixture } from './store-redis-fixture.ts';
import { describeStore } from './store-suite.ts';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
}, 60_000);
afterAll(() => server?.stop());

describeStore('redis', (options) => redisFixture(options, server.url, [server.port]));

describe('redis itself', () => {
  let store: Store;
  let direct: Redis;
  beforeAll(async () => {
    store = await openRedisStore({ ...OPTIONS, url: server.url });
    direct = new Redis(server.port, '127.0.0.1');
  });
  afterAll(async () => {
    direct?.disconnect();
    await store?.close();
  });
  const full = {
    frames: frames(0, 2),
    transcript: [{ role: 'user', content: 'hi', turnId: 't', at: 1 }],
    dueAt: 1_000,
  } as const;
  const ofSession = async (sessionId: string) =>
    (await direct.keys('*')).filter((key) => key.endsWith(sessionId));

  it('a write or a sweep removes the time limit that an earlier version set on a session', async () => {
    const { sessionId, fence } = await created(store, 'a', full);
    await store.push(sessionId, 'x');
    const limited = async () => {
      const keys = (await ofSession(sessionId)).filter((key) => !key.includes(':lock:'));
      expect(keys).toHaveLength(4);
      return (await Promise.all(keys.map((key) => direct.pttl(key)))).filter((ms) => ms >= 0).length;
    };
    const limit = async () => {
      for (const key of await ofSession(sessionId)) await direct.pexpire(key, 60_000);
      expect(await limited()).toBe(4);
    };
    await limit();
    await store.renew(fence);
    expect(await limited()).toBe(0);
    await limit();
    await direct.del(sessionKeys(sessionId).lock);
    expect((await store.sweep(bucketOf(sessionId), Date.now(), 1_000, 1_000)).due).toContain(sessionId);
    expect(await limited()).toBe(0);
  });

  it('a sweep returns a session whose hash is gone once and deletes its remains', async () => {
    const { sessionId } = await created(store, 'a', full);
    await store.push(sessionId, 'x');
    const { session, lock } = sessionKeys(sessionId);
    await direct.del(session, lock);
    const bucket = bucketOf(sessionId);
    expect(await store.sweep(bucket, Date.now(), 1_000, 1_000)).toMatchObject({ lost: [sessionId] });
    expect(await store.sweep(bucket, Date.now(), 1_000, 1_000)).toMatchObject({ lost: [] });
    expect(await ofSession(sessionId)).toEqual([]);
    expect((await store.list({ limit: 1_000 })).sessionIds).not.toContain(sessionId);
  });
});

describe('redis, on a line that can be broken', () => {
  let proxy: TcpProxy;
  let line: ShakyLine;
  beforeAll(async () => {
    proxy = await startProxy(server.port);
    const { loseReplies, cut } = proxy;
    const [store, witness] = await Promise.all(
      [proxy.port, server.port].map((port) =>
        openRedisStore({ ...OPTIONS, url: `redis://127.0.0.1:${port}` }),
      ),
    );
    line = { store: store!, witness: witness!, loseReplies, cut };
  });
  afterAll(async () => {
    await line?.store.close();
    await line?.witness.close();
    await proxy?.stop();
  });
  describeLostReplies(() => line);
});
