/** The conformance suite's fixture on real Redis servers: one, or the masters of a cluster. */
import { Redis } from 'ioredis';
import { bucketOf, type StoreOptions } from '../../src/store/contract.ts';
import { bucketKeys } from '../../src/store/redis/keys.ts';
import { openRedisStore } from '../../src/store/redis/open.ts';
import type { StoreFixture } from './store-fixture.ts';

export async function redisFixture(
  options: StoreOptions,
  url: string,
  ports: readonly number[],
): Promise<StoreFixture> {
  const open = () => openRedisStore({ ...options, url });
  const stores = [await open(), await open(), await open()] as const;
  const nodes = ports.map((port) => new Redis({ host: '127.0.0.1', port, protocol: 2 }));

  return {
    stores,
    now: Date.now,
    elapse: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    async traces(sessionId) {
      const found = new Map<string, number | null>();
      const { due, listing } = bucketKeys(bucketOf(sessionId));
      for (const node of nodes) {
        const keys = await node.keys('*');
        for (const key of keys.filter((name) => name.includes(sessionId))) {
          const stays = await node.pttl(key);
          // -2: the key expired after the listing.
          if (stays !== -2) found.set(key, stays < 0 ? Number.POSITIVE_INFINITY : stays);
        }
        for (const key of keys.filter(
          (name) => name.startsWith(`${listing}:`) && name !== `${listing}:states`,
        )) {
          const members = await node.zrange(key, '0', '-1');
          if (members.some((member) => member.endsWith(` ${sessionId}`))) found.set(key, null);
        }
        if (keys.includes(listing) && (await node.hexists(listing, sessionId)) === 1)
          found.set(listing, null);
        if (keys.includes(due) && (await node.zscore(due, sessionId)) !== null) found.set(due, null);
      }
      return found;
    },
    async stop() {
      for (const store of stores) await store.close();
      for (const node of nodes) node.disconnect();
    },
  };
}
