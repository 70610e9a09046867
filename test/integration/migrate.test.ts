/** `rehydra migrate` between small stores: the sessions that it moves and skips, and its report. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readSnapshot } from '../../src/session/machine/snapshot.ts';
import type { SessionDump, Store } from '../../src/store/contract.ts';
import { openRedisStore } from '../../src/store/redis/open.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { fill, fingerprint, MOVE_OPTIONS, migrate, sessionOf } from '../support/instance/migration.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';

let server: RedisServer;
let admin: Redis;
let folder: string;
let dataDir: string;
let redis: Store;

beforeAll(async () => {
  server = await startRedis();
  admin = new Redis(server.port, '127.0.0.1', { protocol: 2 });
  redis = await openRedisStore({ ...MOVE_OPTIONS, url: server.url });
  folder = mkdtempSync(join(tmpdir(), 'rehydra-migrate-'));
}, 60_000);
afterAll(async () => {
  await redis?.close();
  admin?.disconnect();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});
let round = 0;
beforeEach(async () => {
  await admin.flushall();
  round += 1;
  dataDir = join(folder, `data-${round}`);
});

/** The embedded store serves one process, so the test opens it only while the program does not run. */
async function embedded<T>(use: (store: Store) => Promise<T>): Promise<T> {
  const store = await openSqliteStore({ ...MOVE_OPTIONS, dataDir });
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

const toRedis = () => ['--from', `sqlite:${dataDir}`, '--to', server.url];
const toEmbedded = () => ['--from', server.url, '--to', `sqlite:${dataDir}`];

async function present(store: Store, sessionId: string): Promise<SessionDump> {
  const dump = await store.export(sessionId);
  if (dump === null) throw new Error(`${sessionId} is not there`);
  return dump;
}

/** One turn of a service that runs on the store. */
async function useSession(store: Store, sessionId: string, end = false): Promise<void> {
  const claim = await store.claim(sessionId, 'service');
  if (claim.kind !== 'claimed' || claim.record === null) throw new Error(`${sessionId} cannot be used`);
  const { fence, record } = claim;
  const outcome = await store.commit(fence, {
    writeId: `${fence.token}.1`,
    expectedVersion: record.version,
    expectedHead: record.head,
    snapshot: '{"used":true}',
    frames: [],
    transcript: [],
    messageIds: [],
    inboxTaken: record.inboxLength,
    dueAt: null,
    index: { state: 'idle', userId: null, createdAt: 1_600_000_000_000 },
    notify: false,
    end,
  });
  expect(outcome.kind).toBe('committed');
  if (!end) expect(await store.release(fence, false)).toEqual({ kind: 'released' });
}

describe('a move', () => {
  it('a migration moves sessions from Redis to the embedded store, and back', async () => {
    await fill(redis, 300);
    const before = await fingerprint(redis);
    expect(await migrate([...toEmbedded(), '--validate'])).toMatchObject({
      code: 0,
      summary: { action: 'move', moved: 300, equal: 300, differences: 0 },
    });
    expect(await embedded(fingerprint)).toEqual(before);
    expect(await migrate([...toEmbedded(), '--rollback'])).toMatchObject({ code: 0 });
    expect(await fingerprint(redis)).toEqual(before);
    expect((await embedded(fingerprint)).sessions).toBe(0);
  });

  it('a dry run of a migration writes nothing and shows what a move would do', async () => {
    await embedded((store) => fill(store, 40));
    await redis.import(sessionOf(1), 'absent-only');
    await redis.import({ ...sessionOf(2), inbox: ['another'] }, 'absent-only');
    const ran = await migrate([...toRedis(), '--dry-run']);
    expect(ran).toMatchObject({ code: 3, summary: { action: 'dry-run', moved: 38, already: 1, differs: 1 } });
    expect((await fingerprint(redis)).sessions).toBe(2);
    expect(await admin.keys('rehydra:migration:*')).toEqual([]);
  });

  it('a migration overwrites no session of the target and reports the difference', async () => {
    await embedded((store) => fill(store, 10));
    await redis.import({ ...sessionOf(3), inbox: ['theirs'] }, 'absent-only');
    expect(await migrate([...toRedis(), '--validate'])).toMatchObject({
      code: 3,
      summary: { moved: 9, differs: 1, equal: 9, differences: 1 },
    });
    expect((await present(redis, 'session-3')).inbox).toEqual(['theirs']);
  });

  it('a migration skips a session in use and moves it in the next run', async () => {
    await fill(redis, 5);
    const lock = (await admin.keys('*s:session-2'))[0]!.replace('s:session-2', 'lock:session-2');
    await admin.set(lock, 'somebody', 'PX', 60_000);
    const ran = await migrate(toEmbedded());
    expect(ran).toMatchObject({ code: 3, summary: { moved: 4, inUse: 1 } });
    await admin.del(lock);
    expect(await migrate([...toEmbedded(), '--validate'])).toMatchObject({
      code: 0,
      summary: { moved: 5, inUse: 0, equal: 5, differences: 0 },
    });
  });

  it('a migration with --state keeps its notes in that file, stops after the batch on SIGTERM, and resumes', async () => {
    await embedded((store) => fill(store, 5_000));
    const state = join(folder, 'notes.json');
    const args = [...toRedis(), '--state', state, '--batch', '5'];
    const ended = await migrate(args, { during: 'moving', after: 0, signal: 'SIGTERM' });
    expect(ended).toMatchObject({ code: 4, summary: { ending: 'interrupted' } });
    expect(JSON.parse(readFileSync(state, 'utf8'))).toMatchObject({ phase: 'copy', to: server.url });
    expect(await migrate([...args, '--validate'])).toMatchObject({
      code: 0,
      summary: { moved: 5_000, equal: 5_000, differences: 0 },
    });
    expect(await admin.keys('rehydra:migration:*')).toEqual([]);
  });

  it('a migration refuses wrong usage before it opens a store', async () => {
    for (const args of [
      [],
      ['--from', server.url],
      ['--from', server.url, '--to', server.url],
      ['--from', server.url, '--to', 'http://somewhere'],
      ['--from', `sqlite:${dataDir}`, '--to', `guide+${server.url}`],
      [...toRedis(), '--batch', 'many'],
      [...toRedis(), '--nonsense'],
    ]) {
      expect(await migrate(args)).toMatchObject({ code: 2, summary: null });
    }
    expect((await migrate([...toRedis(), '--rollback'])).code).toBe(2);
    const unreachable = await migrate([
      '--from',
      `sqlite:${dataDir}`,
      '--to',
      'redis://u:s3cret@127.0.0.1:1',
    ]);
    expect(unreachable.code).toBe(1);
    expect(unreachable.said.join()).not.toMatch(/s3cret/);
  }, 120_000);
});

describe('a rollback', () => {
  it('a rollback copies sessions back in their present state, includes new ones, and revives no ended one', async () => {
    await embedded((store) => fill(store, 20));
    expect(await migrate(toRedis())).toMatchObject({ code: 0 });
    // The service runs on Redis for a while.
    await useSession(redis, 'session-4');
    await useSession(redis, 'session-5', true);
    const since = sessionOf(1_000, { index: { state: 'idle', userId: 'new', createdAt: Date.now() } });
    await redis.import(since, 'absent-only');
    const changed = await present(redis, 'session-4');
    // A session that was in Redis all along is not part of the move.
    await redis.import(sessionOf(2_000), 'absent-only');

    expect(await migrate([...toRedis(), '--rollback'])).toMatchObject({
      code: 0,
      summary: { returned: 2, unchanged: 18, ended: 1, removed: 20 },
    });
    await embedded(async (store) => {
      expect(await store.export('session-4')).toEqual(changed);
      expect(await store.export('session-5')).toBeNull();
      expect(await store.export('session-1000')).toMatchObject({ index: { userId: 'new' } });
      expect((await fingerprint(store)).sessions).toBe(20);
    });
    expect((await redis.list({ limit: 10 })).sessionIds).toEqual(['session-2000']);
    expect(await admin.keys('rehydra:migration:*')).toEqual([]);
  });

  it('a rollback keeps a session that went on at the source and reports the difference', async () => {
    await embedded((store) => fill(store, 6));
    expect(await migrate(toRedis())).toMatchObject({ code: 0 });
    await embedded((store) => useSession(store, 'session-1'));
    expect(await migrate([...toRedis(), '--rollback'])).toMatchObject({
      code: 3,
      summary: { unchanged: 5, removed: 5, differs: 1 },
    });
    expect((await embedded((store) => present(store, 'session-1'))).record.snapshot).toBe('{"used":true}');
    expect((await redis.list({ limit: 10 })).sessionIds).toEqual(['session-1']);
  });
});

describe('the guide’s sessions', () => {
  const value = {
    created_at: '2026-01-09T14:30:00.123456',
    last_access: '2026-01-09T14:35:00+00:00',
    conversation_count: 2,
    patient_info: { age: '45', gender: 'male', chief_complaint: 'chest pain', blood_type: 'A+' },
    messages: [
      { role: 'system', content: 'You are a doctor' },
      { role: 'user', content: 'chest pain' },
      { role: 'assistant', content: '1. Obtain EKG' },
      { role: 'human', content: 'Patient also has diabetes' },
      { role: 'ai', content: 'Also check HbA1c' },
    ],
  };
  const id = '7f8a9b2c-4d5e-6f7a-8b9c-0d1e2f3a4b5c';

  it('a migration imports sessions of the guide with transcript and patient, and names unreadable ones', async () => {
    await admin.set(`session:${id}`, JSON.stringify(value), 'EX', 7_200);
    await admin.set('session:torn', '{"created_at":');
    await admin.set('session:strange', JSON.stringify({ created_at: 'yesterday', last_access: 1 }));
    await admin.set('sessions', 'no session');
    const args = ['--from', `guide+${server.url}`, '--to', `sqlite:${dataDir}`];
    const ran = await migrate([...args, '--validate']);
    expect(ran).toMatchObject({ code: 3, summary: { moved: 1, unreadable: 2, equal: 1, differences: 0 } });
    expect(ran.said.join('\n')).toMatch(/torn cannot be read: not JSON/);
    expect(ran.said.join('\n')).toMatch(/strange cannot be read: .*not a time/);

    const dump = await embedded((store) => present(store, id));
    const opened = readSnapshot(dump.record.snapshot);
    if (opened.kind !== 'opened') throw new Error(opened.kind);
    expect(opened.snapshot).toMatchObject({
      value: { idle: 'fresh' },
      context: {
        sessionId: id,
        createdAt: Date.UTC(2026, 0, 9, 14, 30, 0, 123),
        lastActivityAt: Date.UTC(2026, 0, 9, 14, 35),
        attached: [],
        turnCount: 2,
        turn: null,
      },
    });
    expect(JSON.stringify(opened.snapshot.context.patient)).toMatch(/chest pain.*A\+/s);
    expect(dump.index).toMatchObject({ state: 'idle', createdAt: opened.snapshot.context.createdAt });
    expect(dump.transcript).toEqual([
      expect.objectContaining({ role: 'user', content: 'chest pain', turnId: 'guide-1' }),
      expect.objectContaining({ role: 'assistant', content: '1. Obtain EKG', turnId: 'guide-1' }),
      expect.objectContaining({ role: 'user', content: 'Patient also has diabetes', turnId: 'guide-2' }),
      expect.objectContaining({ role: 'assistant', content: 'Also check HbA1c', turnId: 'guide-2' }),
    ]);
    expect(dump.frames.map(({ data }) => JSON.parse(data).value)).toEqual(['connected', 'idle']);

    expect(await migrate([...args, '--rollback'])).toMatchObject({ summary: { removed: 1 } });
    expect((await embedded(fingerprint)).sessions).toBe(0);
    expect(await admin.get(`session:${id}`)).toBe(JSON.stringify(value));
  });
});
