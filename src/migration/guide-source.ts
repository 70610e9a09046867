/**
 * The guide's sessions: plain values under `session:{id}`. There is no listing of them, so they are found by SCAN,
 * which may show one twice and whose cursor means nothing to another server process: every run begins anew, and what
 * is in the target already is recognised.
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
