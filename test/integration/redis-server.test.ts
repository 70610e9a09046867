import { existsSync } from 'node:fs';
import { Cluster } from 'ioredis';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { withClient } from '../support/instance/redis-process.ts';
import { type RedisServer, startRedis, startRedisCluster } from '../support/instance/redis-server.ts';

const started: RedisServer[] = [];

async function start(options?: Parameters<typeof startRedis>[0]): Promise<RedisServer> {
  const server = await startRedis(options);
  started.push(server);
  return server;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(started.splice(0).map((server) => server.stop()));
});

describe('redis-server for tests', () => {
  it('the redis-server for tests answers on its port, and leaves neither process nor folder behind', async () => {
    const server = await start();
    expect(await withClient(server.port, (client) => client.ping())).toBe('PONG');
    const { pid, dir } = server;
    await server.stop();
    expect(isAlive(pid)).toBe(false);
    expect(existsSync(dir)).toBe(false);
  });

  it('the redis-server for tests keeps writes of an always-synced log across SIGKILL and restart', async () => {
    const server = await start({ appendonly: 'always' });
    const { pid } = server;
    await withClient(server.port, (client) => client.set('key', 'kept'));
    await server.kill('SIGKILL');
    await server.restart();
    expect(server.pid).not.toBe(pid);
    expect(await withClient(server.port, (client) => client.get('key'))).toBe('kept');
  });

  it('the redis-server for tests can be frozen, thawed, and stopped while frozen', async () => {
    const server = await start();
    await server.kill('SIGSTOP');
    await expect(withClient(server.port, (client) => client.ping(), 500)).rejects.toThrow();
    await server.kill('SIGCONT');
    expect(await withClient(server.port, (client) => client.ping())).toBe('PONG');
    await server.kill('SIGSTOP');
    await server.stop();
    expect(isAlive(server.pid)).toBe(false);
  });

  it('the redis-server for tests can replicate a master', async () => {
    const master = await start();
    const replica = await start({ replicaOf: master });
    await withClient(master.port, (client) => client.set('key', 'copied'));
    await expect.poll(() => withClient(replica.port, (client) => client.get('key'))).toBe('copied');
  });

  it('the redis-server for tests refuses a port that another server holds', async () => {
    const server = await start();
    await expect(start({ port: server.port })).rejects.toThrow('Address already in use');
  });

  it('without a redis-server on the machine the tests say in one line how to get one', async () => {
    vi.stubEnv('REDIS_SERVER', '/nowhere/redis-server');
    await expect(start()).rejects.toThrow("REDIS_SERVER names /nowhere/redis-server, which can't be run");
  });
});

describe('cluster for tests', () => {
  it('the Redis Cluster for tests serves every slot', async () => {
    const cluster = await startRedisCluster(3);
    const client = new Cluster(cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })));
    try {
      const keys = Array.from({ length: 30 }, (_, index) => `key:${index}`);
      await Promise.all(keys.map((key) => client.set(key, key)));
      expect(await Promise.all(keys.map((key) => client.get(key)))).toEqual(keys);
      const sizes = await Promise.all(client.nodes('master').map((node) => node.dbsize()));
      expect(sizes).toHaveLength(3);
      expect(Math.min(...sizes)).toBeGreaterThan(0);
    } finally {
      client.disconnect();
      await cluster.stop();
    }
  });
});
