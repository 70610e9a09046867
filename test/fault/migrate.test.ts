/** Moves 100,000 sessions and rolls the move back; the test kills each process on the way. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRedisStore } from '../../src/store/redis/open.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { fill, fingerprint, MOVE_OPTIONS, migrate, sessionOf } from '../support/instance/migration.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';
import { tell } from './chaos/figures.ts';

const SESSIONS = 100_000;

describe('moving a hundred thousand sessions from the embedded store to Redis', () => {
  let server: RedisServer;
  let dataDir: string;
  beforeAll(async () => {
    server = await startRedis();
    dataDir = mkdtempSync(join(tmpdir(), 'rehydra-migrate-'));
  }, 60_000);
  afterAll(async () => {
    await server?.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });

  const inSource = async () => {
    const store = await openSqliteStore({ ...MOVE_OPTIONS, dataDir });
    const found = await fingerprint(store);
    await store.close();
    return found;
  };

  it('a migration of 100,000 sessions, killed twice and resumed, moves every session byte by byte, and its rollback restores all', async () => {
    const source = await openSqliteStore({ ...MOVE_OPTIONS, dataDir });
    await fill(source, SESSIONS);
    await source.close();
    const before = await inSource();
    expect(before.sessions).toBe(SESSIONS);
    const ends = ['--from', `sqlite:${dataDir}`, '--to', server.url];

    expect(await migrate(ends, { during: 'moving', after: 10_000 })).toMatchObject({
      signal: 'SIGKILL',
      summary: null,
    });
    expect(await migrate(ends, { during: 'moving', after: 40_000 })).toMatchObject({
      signal: 'SIGKILL',
      summary: null,
    });
    const moved = await migrate([...ends, '--validate']);
    tell(`moved, after two kills: ${JSON.stringify(moved.summary)}`);
    expect(moved.said.some((line) => line.startsWith('going on after'))).toBe(true);
    expect(moved).toMatchObject({
      code: 0,
      summary: { action: 'move', equal: SESSIONS, differences: 0, different: 0, missing: 0, unreadable: 0 },
    });
    // A resumed run repeats only the batch in which its predecessor died.
    expect(Number(moved.summary?.already ?? 0)).toBeLessThanOrEqual(2 * 500);

    const store = await openRedisStore({ ...MOVE_OPTIONS, url: server.url });
    expect(Object.values(await store.countByState()).reduce((sum, n) => sum + n, 0)).toBe(SESSIONS);
    const { held: _, ...long } = sessionOf(50_007);
    expect(await store.export('session-50007')).toMatchObject(long);
    expect(await inSource()).toEqual(before);

    for (const during of ['copying back', 'clearing the target']) {
      const killed = await migrate([...ends, '--rollback'], { during, after: 20_000 });
      expect(killed).toMatchObject({ signal: 'SIGKILL', summary: null });
    }
    const back = await migrate([...ends, '--rollback']);
    tell(`rolled back, after two kills: ${JSON.stringify(back.summary)}`);
    expect(back.code).toBe(0);
    expect(back.summary?.differs ?? 0).toBe(0);
    expect(await inSource()).toEqual(before);
    expect(await store.countByState()).toEqual({});
    await store.close();
    const admin = new Redis(server.port, '127.0.0.1', { protocol: 2 });
    const left = (await admin.keys('*')).filter((key) => !key.endsWith(':ls:states'));
    admin.disconnect();
    expect(left).toEqual([]);
  });
});
