/** A page of 100,000 sessions costs the same as of one, measured in calls and index walks, never in time. */
import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { BUCKETS, type ListQuery, type SessionDump, type Store } from '../../src/store/contract.ts';
import { openRedisStore } from '../../src/store/redis/open.ts';
import { openDatabase } from '../../src/store/sqlite/database.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { COUNT_OF_USER, PAGES } from '../../src/store/sqlite/sql.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { freshId, OPTIONS } from './store-fixture.ts';

const SESSIONS = 100_000;
const STATES = ['connected', 'processing', 'idle'] as const;
/** Few enough for the last one to run before its timeout. */
const AT_ONCE = 500;

/** One session in a thousand belongs to `rare`, the others to five hundred users. */
function dumpOf(n: number): SessionDump {
  const userId = n % 1_000 === 0 ? 'rare' : `user-${n % 500}`;
  return {
    sessionId: `s-${n}`,
    record: {
      version: 1,
      epoch: 1,
      head: 0,
      snapshot: '{}',
      instance: 'a',
      dueAt: null,
      inboxLength: 0,
    },
    index: { state: STATES[n % 3]!, userId, createdAt: 1_700_000_000_000 + (n >> 4) },
    frames: [],
    transcript: [],
    inbox: [],
    history: [],
    messageIds: [],
    held: false,
  };
}

async function fill(store: Store): Promise<void> {
  for (let from = 0; from < SESSIONS; from += AT_ONCE) {
    await Promise.all(
      Array.from({ length: AT_ONCE }, (_, n) => store.import(dumpOf(from + n), 'absent-only')),
    );
  }
}

type Filter = Omit<ListQuery, 'limit' | 'cursor'>;

async function walk(store: Store, query: Filter, limit: number, afterPage: () => Promise<void>) {
  const seen: string[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await store.list({ ...query, limit, ...(cursor === undefined ? {} : { cursor }) });
    await afterPage();
    seen.push(...page.sessionIds);
    if (page.cursor === null) return seen;
    cursor = page.cursor;
  }
}

const expectedCounts = { connected: 33_334, processing: 33_333, idle: 33_333 };

describe('a hundred thousand sessions', () => {
  it('in Redis every page of 100,000 sessions takes a bounded number of script calls, and the pages cover all sessions', async () => {
    const server = await startRedis();
    const store = await openRedisStore({ ...OPTIONS, url: server.url });
    const admin = new Redis(server.port, '127.0.0.1', { protocol: 2 });
    const calls = async (): Promise<ReadonlyMap<string, number>> => {
      const stats = (await admin.info('commandstats')).matchAll(/cmdstat_(\w+):calls=(\d+)/g);
      return new Map([...stats].map(([, name = '', n]) => [name, Number(n)]));
    };
    await fill(store);
    await admin.config('RESETSTAT');
    let before = 0;
    const perPage: number[] = [];
    const count = async () => {
      const now = (await calls()).get('evalsha') ?? 0;
      perPage.push(now - before);
      before = now;
    };
    const all = await walk(store, {}, 1_000, count);
    expect(all).toHaveLength(SESSIONS);
    expect(new Set(all).size).toBe(SESSIONS);
    const [first, last] = [perPage[0], perPage.at(-1)];
    process.stdout.write(
      `${perPage.length} pages of 1,000: the first took ${first} script calls, the last ${last}\n`,
    );
    // Every page costs the four buckets of the first wave; the last two pages read on.
    expect(new Set(perPage.slice(0, -2))).toEqual(new Set([4]));
    expect(Math.max(...perPage)).toBeLessThanOrEqual(BUCKETS);

    perPage.length = 0;
    const rare = await walk(store, { userId: 'rare' }, 50, count);
    expect(rare).toHaveLength(100);
    expect((await walk(store, { userId: 'rare', states: ['idle'] }, 50, count)).length).toBe(33);
    expect((await walk(store, { states: ['idle'] }, 1_000, count)).length).toBe(expectedCounts.idle);
    expect(Math.max(...perPage)).toBeLessThanOrEqual(BUCKETS);

    await admin.config('RESETSTAT');
    expect(await store.countByState()).toEqual(expectedCounts);
    const counted = await calls();
    expect(counted.get('evalsha')).toBeLessThanOrEqual(BUCKETS);
    expect(counted.get('zcard')).toBe(STATES.length * BUCKETS);
    for (const scan of ['keys', 'scan', 'hscan', 'zscan', 'hgetall']) {
      expect(counted.get(scan), scan).toBeUndefined();
    }

    await admin.config('RESETSTAT');
    expect(await store.countOfUser('rare', 1_000)).toBe(100);
    expect(await store.countOfUser('nobody', 1_000)).toBe(0);
    const asked = await calls();
    expect(asked.get('evalsha')).toBe(2);
    expect(asked.get('exists')).toBe(2);
    // The script counts only if the user has a session.
    expect(asked.get('zcard')).toBe(BUCKETS);
    // The script stops once there are enough.
    await admin.config('RESETSTAT');
    expect(await store.countOfUser('user-1', 1)).toBeGreaterThanOrEqual(1);
    expect((await calls()).get('zcard')).toBeLessThan(BUCKETS);
    await store.close();
    admin.disconnect();
    await server.stop();
  }, 300_000);

  it('in the embedded store every page walks one index from the end of the page before', async () => {
    const dataDir = `:memory:${freshId()}`;
    const store = await openSqliteStore({ ...OPTIONS, dataDir });
    const { db, release } = openDatabase(dataDir);
    await fill(store);
    const planOf = (text: string, ...values: readonly unknown[]) =>
      (db.prepare(`EXPLAIN QUERY PLAN ${text}`).all(...values) as readonly { readonly detail: string }[])
        .map(({ detail }) => detail)
        .join('; ');
    const rest = [0, '', 50];
    expect(planOf(PAGES.all, ...rest)).toMatch(
      /^SEARCH sessions USING (COVERING )?INDEX sessions_listed \(\(created_at,id\)>\(\?,\?\)\)$/,
    );
    expect(planOf(PAGES.ofState, 'idle', ...rest)).toMatch(
      /^SEARCH sessions USING (COVERING )?INDEX sessions_by_state \(state=\? AND \(created_at,id\)>\(\?,\?\)\)$/,
    );
    for (const plan of [
      planOf(PAGES.ofUser, 'rare', ...rest),
      planOf(PAGES.ofUserInState, 'rare', 'idle', ...rest),
    ]) {
      expect(plan).toMatch(
        /^SEARCH sessions USING (COVERING )?INDEX sessions_by_user \(user_id=\? AND \(created_at,id\)>\(\?,\?\)\)$/,
      );
    }

    expect(planOf(COUNT_OF_USER, 'rare', 100)).toMatch(
      /SEARCH sessions USING (COVERING )?INDEX sessions_by_user \(user_id=\?\)/,
    );
    expect(await store.countOfUser('rare', 1_000)).toBe(100);
    expect(await store.countOfUser('rare', 7)).toBe(7);

    const nothing = async () => {};
    const all = await walk(store, {}, 1_000, nothing);
    expect(all).toHaveLength(SESSIONS);
    expect(new Set(all).size).toBe(SESSIONS);
    expect(await walk(store, { userId: 'rare' }, 50, nothing)).toHaveLength(100);
    expect(await walk(store, { userId: 'rare', states: ['idle'] }, 50, nothing)).toHaveLength(33);
    expect(await walk(store, { states: ['idle'] }, 1_000, nothing)).toHaveLength(expectedCounts.idle);
    expect(await store.countByState()).toEqual(expectedCounts);
    expect(planOf('SELECT state, sessions FROM states WHERE sessions > 0')).not.toMatch(
      /sessions_|TABLE sessions/,
    );
    release();
    await store.close();
  }, 300_000);
});
