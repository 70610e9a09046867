/** Redis keeps the newest records of a history in a string, and older ones in pages of a list. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Store } from '../../src/store/contract.ts';
import { sessionKeys } from '../../src/store/redis/keys.ts';
import { openRedisStore } from '../../src/store/redis/open.ts';
import { withRedis } from '../support/instance/observed.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';
import { claimed, commitOf, expectCommitted, freshId, OPTIONS } from './store-fixture.ts';

const KEPT = 100;
const COMMITS = 400;
const recordAt = (version: number) => `[${version},"${'x'.repeat(90)}"]`;

describe('a long history in Redis', () => {
  let redis: RedisServer;
  let store: Store;
  beforeAll(async () => {
    redis = await startRedis();
    store = await openRedisStore({ ...OPTIONS, leaseMs: 60_000, historyMax: KEPT, url: redis.url });
  }, 60_000);
  afterAll(async () => {
    await store?.close();
    await redis?.stop();
  });

  it('a store reads the newest records of a history of many pages, and keeps little more than them', async () => {
    const sessionId = freshId();
    const { fence } = await claimed(store, sessionId, 'a');
    for (let version = 0; version < COMMITS; version += 1) {
      const history = recordAt(version + 1);
      expectCommitted(await store.commit(fence, commitOf({ expectedVersion: version, history })));
      const kept = Math.min(KEPT, version + 1);
      if (version % 37 !== 0 && version !== COMMITS - 1) continue;
      expect((await store.readHistory(sessionId))?.history).toEqual(
        Array.from({ length: kept }, (_, place) => recordAt(version + 2 - kept + place)),
      );
    }
    const { history: newest, pages } = sessionKeys(sessionId);
    const bytes = await withRedis(redis.url, async (direct) => {
      const texts = [(await direct.get(newest)) ?? '', ...(await direct.lrange(pages, 0, -1))];
      return texts.join('').length;
    });
    const page = 2_048;
    expect(bytes).toBeLessThan(KEPT * recordAt(COMMITS).length + 2 * page + recordAt(COMMITS).length);

    const dump = await store.export(sessionId);
    if (dump === null) throw new Error('the session is gone');
    const copy = { ...dump, sessionId: freshId() };
    expect(await store.import(copy, 'absent-only')).toEqual({ kind: 'imported' });
    expect(await store.export(copy.sessionId)).toEqual({ ...copy, held: false });
    await store.release(fence, false);
    expect(await store.discard(copy.sessionId)).toBe('discarded');
    await withRedis(redis.url, async (direct) => {
      const left = await direct.keys(`*${copy.sessionId}*`);
      expect(left).toEqual([]);
    });
  });
});
