/** Reads and damages a session's snapshot in Redis. */
import type { Cluster, Redis } from 'ioredis';
import { sessionKeys } from '../../../src/store/redis/keys.ts';
import { longSnapshot } from '../../../src/store/redis/texts/short-texts.ts';

/** The names of its fields, as in `snapshot.lua`. */
const PIECES = '123456789abcdefg';

/** The snapshot as JSON; empty if there is none. */
export async function storedSnapshot(redis: Redis | Cluster, sessionId: string): Promise<string> {
  const fields = await redis.hgetall(sessionKeys(sessionId).session);
  const pieces = [...PIECES.slice(0, Number(fields.n ?? 0))].map((name) => fields[name] ?? '');
  return longSnapshot(fields.n === undefined ? (fields.snap ?? '') : pieces.join(''));
}

export async function storeSnapshot(redis: Redis | Cluster, sessionId: string, text: string): Promise<void> {
  const { session } = sessionKeys(sessionId);
  await redis.hset(session, 'snap', text);
  await redis.hdel(session, 'n');
}
