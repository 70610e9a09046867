/**
 * Finds the guide's sessions (`guide-session.ts`) by SCAN. SCAN may return a key twice, and its cursor is invalid in another
 * server process: every run scans from the start and recognises the sessions that the target already has.
 */
import type { Redis } from 'ioredis';
import type { SessionLimits } from '../../machines/vocabulary.ts';
import { guideSession } from './guide-session.ts';
import type { Found, Source } from './source.ts';

const PREFIX = 'session:';

export function guideSource(redis: Redis, limits: SessionLimits): Source {
  const open = (key: string, value: string | null): Found | null =>
    value === null ? null : guideSession(key.slice(PREFIX.length), value, limits);
  return {
    resumes: false,
    total: () => redis.dbsize(),
    async page(cursor, limit) {
      const [next, keys] = await redis.scan(
        cursor ?? '0',
        'MATCH',
        `${PREFIX}*`,
        'COUNT',
        limit,
        'TYPE',
        'string',
      );
      const values = keys.length === 0 ? [] : await redis.mget(...keys);
      const found = keys.map((key, index) => open(key, values[index] ?? null));
      return { found: found.filter((each) => each !== null), cursor: next === '0' ? null : next };
    },
    async one(sessionId) {
      const key = `${PREFIX}${sessionId}`;
      return open(key, await redis.get(key));
    },
  };
}
