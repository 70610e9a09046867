import { afterAll, beforeAll, describe } from 'vitest';
import { openRedisStore } from '../../src/store/redis/open.ts';
import { startProxy, type TcpProxy } from '../support/proxy.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { OPTIONS } from './store-fixture.ts';
import { describeLostReplies, type ShakyLine } from './store-lost-replies.ts';
import { redisFixture } from './store-redis-fixture.ts';
import { describeStore } from './store-suite.ts';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
}, 60_000);
afterAll(() => server?.stop());

describeStore('redis', (options) => redisFixture(options, server.url, [server.port]));

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
