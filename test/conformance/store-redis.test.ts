import { afterAll, beforeAll } from 'vitest';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { redisFixture } from './store-redis-fixture.ts';
import { describeStore } from './store-suite.ts';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
}, 60_000);
afterAll(() => server?.stop());

describeStore('redis', (options) => redisFixture(options, server.url, [server.port]));
