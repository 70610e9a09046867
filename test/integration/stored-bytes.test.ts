/**
 * The memory of a quiet session in Redis, by MEMORY USAGE: its own keys, and its share of the listing and the deadline index
 * of its bucket at a million sessions.
 */
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { BUCKETS, bucketOf } from '../../src/store/contract.ts';
import { bucketKeys, sessionKeys } from '../../src/store/redis/keys.ts';
import { openRedisStore } from '../../src/store/redis/open.ts';
import { TestClient } from '../support/instance/client.ts';
import { startInstance } from '../support/instance/instance.ts';
import { eventually, withRedis } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

const SESSIONS = 1_000_000;
const PER_BUCKET = Math.ceil(SESSIONS / BUCKETS);
const QUIET_MAX_BYTES = 2_500;
const AFTER_TURN_MAX_BYTES = 3_500;
const QUESTION = [
  'Since Tuesday I have had a dull pressure behind the breastbone that comes on when I climb stairs and fades within',
  'five minutes of rest. My father had his stent at 58. Should I see a doctor this month?',
].join(' ');

const usage = async (redis: Redis, keys: readonly string[]): Promise<number> => {
  const bytes = await Promise.all(keys.map((key) => redis.memory('USAGE', key, 'SAMPLES', 0)));
  return bytes.reduce<number>((sum, one) => sum + Number(one ?? 0), 0);
};

const ownBytes = (url: string, sessionId: string): Promise<number> =>
  withRedis(url, async (redis) => {
    const { lock } = sessionKeys(sessionId);
    await eventually(
      'the session to sleep',
      () => redis.exists(lock),
      (locks) => locks === 0,
    );
    return usage(
      redis,
      (await redis.keys('*')).filter((key) => key.includes(sessionId)),
    );
  });

function idsOfBucket(bucket: number, count: number): readonly string[] {
  const ids: string[] = [];
  while (ids.length < count) {
    const id = randomUUID();
    if (bucketOf(id) === bucket) ids.push(id);
  }
  return ids;
}

describe('the memory of a stored session', () => {
  const [redis, apart] = started(startRedis, startRedis);
  const [instance] = started(() =>
    startInstance({
      REDIS_URL: redis.url,
      HIBERNATE_MS: '200',
      SIMULATOR_TOKENS: '64',
      SIMULATOR_TOKENS_PER_SECOND: '200',
    }),
  );

  /** What one of a bucket's sessions takes in the keys that they share. */
  async function shareBytes(): Promise<number> {
    const store = await openRedisStore({ leaseMs: 3_000, frameLogMax: 100, inboxMax: 10, url: apart.url });
    const bucket = 7;
    const ids = idsOfBucket(bucket, PER_BUCKET);
    for (let from = 0; from < ids.length; from += 500) {
      const imports = ids.slice(from, from + 500).map((sessionId, n) => {
        const createdAt = 1_795_902_945_356 + 7 * (from + n);
        const record = {
          version: 1,
          epoch: 1,
          head: 0,
          snapshot: '{}',
          instance: 'a',
          dueAt: createdAt,
          inboxLength: 0,
        };
        const index = { state: 'idle', userId: null, createdAt };
        const nothing = { frames: [], transcript: [], inbox: [], history: [], messageIds: [], held: false };
        return store.import({ sessionId, record, index, ...nothing }, 'absent-only');
      });
      await Promise.all(imports);
    }
    await store.close();
    const { due, listing } = bucketKeys(bucket);
    return withRedis(apart.url, async (direct) => {
      const shared = (await direct.keys('*')).filter((key) => key === due || key.startsWith(listing));
      return (await usage(direct, shared)) / PER_BUCKET;
    });
  }

  it('a quiet session takes at most 2,500 bytes of Redis, and at most 3,500 after a turn of 64 tokens', async () => {
    expect(QUESTION).toHaveLength(200);
    const share = await shareBytes();
    const client = await TestClient.greet(instance.url, { after: 0 });
    const quiet = (await ownBytes(redis.url, client.sessionId)) + share;
    client.message(randomUUID(), QUESTION);
    const end = await client.waitForType('turn.completed');
    await client.waitFor(
      (frame) => frame.type === 'state' && frame.offset > end.offset,
      'the state after the turn',
    );
    const afterTurn = (await ownBytes(redis.url, client.sessionId)) + share;
    const deltas = client.frames.filter(({ type }) => type === 'delta').length;
    process.stdout.write(
      `bytes of Redis per session: ${Math.round(quiet)} quiet, ${Math.round(afterTurn)} after a turn of ${deltas} deltas; ` +
        `${Math.round(share)} of them are its share of its bucket's indexes\n`,
    );
    expect(quiet).toBeLessThanOrEqual(QUIET_MAX_BYTES);
    expect(afterTurn).toBeLessThanOrEqual(AFTER_TURN_MAX_BYTES);
    await client.close();
  });
});
