import { afterAll, beforeAll } from 'vitest';
import { type RedisCluster, startRedisCluster } from '../support/instance/redis-server.ts';
import { redisFixture } from './store-redis-fixture.ts';
import { describeStore } from './store-suite.ts';

let cluster: RedisCluster;
beforeAll(async () => {
  cluster = await startRedisCluster(3);
}, 60_000);
afterAll(() => cluster?.stop());

describeStore('a redis cluster of three masters', (options) => {
  const ports = cluster.nodes.map((node) => node.port);
  const url = `redis+cluster://${ports.map((port) => `127.0.0.1:${port}`).join(',')}`;
  return redisFixture(options, url, ports);
});
