/**
 * Proves erasure byte by byte in every file of Redis, the embedded store, the archive and PostgreSQL, and in every log line.
 * The erased user and the others have words of their own in every stored field.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Instance, startInstance } from '../support/instance/instance.ts';
import { eventually, tracesOf, withRedis } from '../support/instance/observed.ts';
import { type PostgresServer, query, startPostgres } from '../support/instance/postgres.ts';
import { startProxy } from '../support/instance/proxy.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';

interface Place {
  /** The test never sends an erasure to the last one. */
  readonly instances: readonly [Instance, ...Instance[]];
  /** Makes the servers write their memory, then returns the files with the text. */
  holding(text: string): Promise<readonly string[]>;
  stop(): Promise<void>;
}

const FOREVER = { SESSION_IDLE_MS: '3600000', SIMULATOR_TOKENS: '12', SIMULATOR_TOKENS_PER_SECOND: '0' };
const LOUD = { LOG_LEVEL: 'trace' };

function filesWith(folder: string, text: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => readFileSync(file).includes(text));
}

async function onRedisAndPostgres(): Promise<Place> {
  // Compressed strings would hide from the search.
  const args = ['--rdbcompression', 'no', '--save', '3600', '1'];
  const redis: RedisServer = await startRedis({ appendonly: 'always', args });
  const postgres: PostgresServer = await startPostgres();
  const archive = await postgres.database();
  const environment = { ...FOREVER, ...LOUD, REDIS_URL: redis.url, DATABASE_URL: archive };
  const instances = [await startInstance(environment), await startInstance(environment)] as const;
  return {
    instances,
    async holding(text) {
      await withRedis(redis.url, (client) => client.save());
      for (let turn = 0; turn < 2; turn += 1) {
        await query(archive, 'SELECT pg_switch_wal()');
        await query(archive, 'CHECKPOINT');
      }
      const inPostgres = postgres.dataDir === null ? [] : filesWith(postgres.dataDir, text);
      return [...filesWith(redis.dir, text), ...inPostgres];
    },
    async stop() {
      await Promise.all(instances.map((instance) => instance.stop()));
      await redis.stop();
      await postgres.stop();
    },
  };
}

async function embedded(): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'rehydra-erasure-'));
  const instance = await startInstance({ ...FOREVER, ...LOUD, DATA_DIR: folder });
  return {
    instances: [instance],
    holding: async (text) => filesWith(folder, text),
    async stop() {
      await instance.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

describe.each([
  ['Redis with both of its files, and PostgreSQL', onRedisAndPostgres],
  ['the embedded store and archive', embedded],
])('erasure from %s', (_name, open) => {
  let place: Place;
  beforeAll(async () => {
    place = await open();
  }, 90_000);
  afterAll(() => place?.stop());

  /** One turn with the word in every field. */
  async function say(instance: Instance, word: string, sessionId: string, userId: string): Promise<void> {
    const body = {
      session_id: sessionId,
      user_id: userId,
      client_id: `client-${word}`,
      diagnosis_id: `diagnosis-${word}`,
      chief_complaint: `${word} in the chest`,
      past_medical_history: `once had ${word}`,
      vitals: { heart_rate: 80 },
    };
    const response = await fetch(`${instance.http}/api/protocol`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': `${word}-${randomUUID()}` },
      body: JSON.stringify(body),
    });
    const answer = (await response.json()) as { readonly protocol?: string };
    expect(response.status, JSON.stringify(answer)).toBe(200);
    // The model repeats the question, so the answer has the word too.
    expect(answer.protocol).toContain(word);
  }

  const del = async (instance: Instance, path: string) => {
    const response = await fetch(`${instance.http}${path}`, { method: 'DELETE' });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const status = async (path: string) => (await fetch(`${place.instances[0].http}${path}`)).status;
  const found = async (text: string) => {
    const response = await fetch(`${place.instances[0].http}/api/archive?text=${text}`);
    return ((await response.json()) as { readonly count: number }).count;
  };
  const logged = (text: string) =>
    place.instances.flatMap(({ logs }) => logs.filter((line) => line.includes(text)));
  const word = () => `q${randomUUID().replaceAll('-', '')}q`;

  let bystander = '';
  afterEach(async () => {
    // The byte search works, and the erasure removed no other user.
    expect((await place.holding(bystander)).length).toBeGreaterThan(0);
  });

  it('an erasure leaves no byte of a live session, nor of its earlier lives in the archive', async () => {
    const canary = word();
    bystander = word();
    const [first] = place.instances;
    const last = place.instances.at(-1) ?? first;
    const sessionId = randomUUID();
    const stays = randomUUID();
    await say(first, bystander, stays, 'stays');
    await say(first, canary, sessionId, `user-${canary}`);
    expect(await del(first, `/api/session/${sessionId}`)).toMatchObject({ status: 200 });
    expect(await found(canary)).toBe(1);
    // The session is live again, on another instance than the one that gets the erasure.
    await say(last, canary, sessionId, `user-${canary}`);
    expect((await place.holding(canary)).length).toBeGreaterThan(1);

    expect(await del(first, `/api/session/${sessionId}?erase=true`)).toEqual({
      status: 200,
      body: { session_id: sessionId, erased: true, live: true, archived_lives: 1 },
    });

    expect(await place.holding(canary)).toEqual([]);
    expect(logged(canary)).toEqual([]);
    expect(await status(`/api/session/${sessionId}`)).toBe(404);
    expect(await status(`/api/archive/${sessionId}`)).toBe(404);
    expect(await found(canary)).toBe(0);
    expect(await status(`/api/session/${stays}`)).toBe(200);
    expect(await del(first, `/api/session/${sessionId}?erase=true`)).toMatchObject({
      status: 200,
      body: { erased: true, live: false, archived_lives: 0 },
    });
  }, 60_000);

  it('an erasure leaves no byte of a user: neither of live sessions on any instance nor of ended ones', async () => {
    const canary = word();
    bystander = word();
    const [first] = place.instances;
    const last = place.instances.at(-1) ?? first;
    const user = `Dr ${canary}/ö?`;
    const stays = randomUUID();
    await say(first, bystander, stays, 'stays');
    const [ended, live, elsewhere] = [randomUUID(), randomUUID(), randomUUID()];
    await say(first, canary, ended, user);
    expect(await del(first, `/api/session/${ended}`)).toMatchObject({ status: 200 });
    await say(first, canary, live, user);
    await say(last, canary, elsewhere, user);
    expect((await place.holding(canary)).length).toBeGreaterThan(1);

    expect(await del(first, `/api/users/${encodeURIComponent(user)}`)).toEqual({
      status: 200,
      body: { erased: true, live_sessions: 2, archived_sessions: 1 },
    });

    expect(await place.holding(canary)).toEqual([]);
    expect(logged(canary)).toEqual([]);
    for (const sessionId of [live, elsewhere]) expect(await status(`/api/session/${sessionId}`)).toBe(404);
    expect(await status(`/api/archive/${ended}`)).toBe(404);
    expect(await status(`/api/session/${stays}`)).toBe(200);
    expect(await status(`/api/sessions?user_id=${encodeURIComponent(user)}`)).toBe(200);
  }, 60_000);

  it('a service answers turns while an erasure rewrites its files', async () => {
    bystander = word();
    const [first] = place.instances;
    const sessions = Array.from({ length: 6 }, () => randomUUID());
    const talking = sessions.map((sessionId) => say(first, bystander, sessionId, 'stays'));
    const erasing = Array.from({ length: 6 }, () => del(first, `/api/session/${randomUUID()}?erase=true`));
    await Promise.all(talking);
    for (const { status: code } of await Promise.all(erasing)) expect(code).toBe(200);
    for (const sessionId of sessions) expect(await status(`/api/session/${sessionId}`)).toBe(200);
  }, 60_000);
});

describe('an erasure that cannot be finished', () => {
  it('an erasure that cannot finish reports it, and the next one finishes it', async () => {
    const redis = await startRedis({ appendonly: 'everysec', args: ['--rdbcompression', 'no'] });
    // A dead owner cannot end its session; the next owner does after the erasure reaches it.
    const owner = await startInstance({ ...FOREVER, REDIS_URL: redis.url, LEASE_MS: '1000' });
    const heir = await startInstance({ ...FOREVER, REDIS_URL: redis.url, LEASE_MS: '1000' });
    try {
      const sessionId = randomUUID();
      const body = JSON.stringify({ session_id: sessionId, chief_complaint: 'cough' });
      const headers = { 'content-type': 'application/json' };
      await fetch(`${owner.http}/api/protocol`, { method: 'POST', headers, body });
      owner.kill('SIGKILL');
      await owner.exited;
      await eventually(
        'the erasure',
        async () =>
          (await fetch(`${heir.http}/api/session/${sessionId}?erase=true`, { method: 'DELETE' })).status,
        (code) => code === 200,
      );
      expect(await tracesOf(redis.url, sessionId)).toEqual([]);
    } finally {
      await heir.stop();
      await redis.stop();
    }
  }, 60_000);

  it('an erasure refuses an invalid user id', async () => {
    const instance = await startInstance();
    const response = await fetch(`${instance.http}/api/users/%E0%A4%A`, { method: 'DELETE' });
    expect(response.status).toBe(400);
    expect(
      (await fetch(`${instance.http}/api/session/${randomUUID()}?erase=maybe`, { method: 'DELETE' })).status,
    ).toBe(400);
    await instance.stop();
  });
});

describe('an erasure that finds nothing', () => {
  it('an erasure that finds nothing rewrites no file of Redis, and one that finds something rewrites it once', async () => {
    const redis = await startRedis({ appendonly: 'everysec' });
    const instance = await startInstance({ ...FOREVER, REDIS_URL: redis.url });
    const erase = async (path: string) =>
      (await fetch(`${instance.http}${path}`, { method: 'DELETE' })).status;
    try {
      const before = await rewritesOf(redis);
      for (let n = 0; n < 10; n += 1) expect(await erase(`/api/users/nobody-${n % 2}`)).toBe(200);
      expect(await erase(`/api/session/${randomUUID()}?erase=true`)).toBe(200);
      expect(await rewritesOf(redis)).toBe(before);
      await turnOf(instance, randomUUID(), 'ana');
      expect(await erase('/api/users/ana')).toBe(200);
      expect(await rewritesOf(redis)).toBe(before + 1);
      expect(await erase('/api/users/ana')).toBe(200);
      expect(await rewritesOf(redis)).toBe(before + 1);
      expect(await erase('/api/users/ana?rewrite=true')).toBe(200);
      expect(await rewritesOf(redis)).toBe(before + 2);
    } finally {
      await instance.stop();
      await redis.stop();
    }
  }, 60_000);

  it('an erasure that finds nothing leaves the files of the embedded store and archive as they are', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rehydra-erasure-'));
    const instance = await startInstance({ ...FOREVER, DATA_DIR: folder });
    const erase = async (path: string) =>
      (await fetch(`${instance.http}${path}`, { method: 'DELETE' })).status;
    const files = () => ['rehydra.db', 'archive.db'].map((name) => readFileSync(join(folder, name)));
    try {
      await turnOf(instance, randomUUID(), 'ana');
      // The first erasure empties the write-ahead logs into the files.
      expect(await erase('/api/users/ana')).toBe(200);
      const before = files();
      for (let n = 0; n < 10; n += 1) expect(await erase(`/api/users/nobody-${n % 2}`)).toBe(200);
      expect(files()).toEqual(before);
    } finally {
      await instance.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  }, 60_000);

  it('an erasure whose instance died before the rewrite is finished by a repetition on another instance', async () => {
    const redis = await startRedis({ appendonly: 'always', args: ['--rdbcompression', 'no'] });
    const environment = { ...FOREVER, REDIS_URL: redis.url, LEASE_MS: '1000' };
    const [dies, other] = [await startInstance(environment), await startInstance(environment)];
    const operator = new Redis(redis.url);
    const canary = `q${randomUUID().replaceAll('-', '')}q`;
    const isRewriting = async () => (await infoOf(redis)).includes('aof_rewrite_in_progress:1');
    const inFiles = () => filesWith(join(redis.dir, 'appendonlydir'), canary);
    try {
      await turnOf(dies, randomUUID(), canary);
      // A rewrite is under way that has read the canary, and the erasure's own one must wait for it.
      await operator.config('SET', 'rdb-key-save-delay', '1000000');
      await operator.bgrewriteaof();
      await eventually('the rewrite', isRewriting, Boolean);
      const erasing = fetch(`${dies.http}/api/users/${canary}`, { method: 'DELETE' }).catch(() => null);
      await eventually(
        'the deletion',
        () => tracesOf(redis.url, canary),
        (traces) => traces.length === 0,
      );
      await eventually(
        'the note',
        () => operator.exists('rehydra:purge'),
        (notes) => notes === 1,
      );
      await eventually(
        'the end of the session',
        async () =>
          ((await (await fetch(`${other.http}/api/sessions?user_id=${canary}`)).json()) as { count: number })
            .count,
        (count) => count === 0,
      );
      dies.kill('SIGKILL');
      await erasing;
      await operator.config('SET', 'rdb-key-save-delay', '0');
      await eventually('the end of the rewrite', isRewriting, (is) => !is);
      expect(inFiles()).not.toEqual([]);
      const before = await rewritesOf(redis);

      const repeated = await fetch(`${other.http}/api/users/${canary}`, { method: 'DELETE' });
      expect(await repeated.json()).toMatchObject({ erased: true, live_sessions: 0 });
      expect(inFiles()).toEqual([]);
      expect(await rewritesOf(redis)).toBe(before + 1);
      await fetch(`${other.http}/api/users/${canary}`, { method: 'DELETE' });
      expect(await rewritesOf(redis)).toBe(before + 1);
    } finally {
      operator.disconnect();
      await other.stop();
      await redis.stop();
    }
  }, 60_000);
});

async function turnOf(instance: Instance, sessionId: string, userId: string): Promise<void> {
  const response = await fetch(`${instance.http}/api/protocol`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ session_id: sessionId, user_id: userId, chief_complaint: 'cough' }),
  });
  expect(response.status).toBe(200);
}

const infoOf = (redis: RedisServer): Promise<string> => withRedis(redis.url, (client) => client.info());

async function rewritesOf(redis: RedisServer): Promise<number> {
  return Number(/aof_rewrites:(\d+)/.exec(await infoOf(redis))?.[1]);
}

describe('a session that was erased', () => {
  it('an erased session stays erased even if its owner was frozen while it archived the conversation', async () => {
    const redis = await startRedis();
    const postgres = await startPostgres();
    const archive = await postgres.database();
    const way = await startProxy(Number(new URL(archive).port), new URL(archive).hostname);
    const through = new URL(archive);
    through.hostname = '127.0.0.1';
    through.port = String(way.port);
    const environment = { ...FOREVER, REDIS_URL: redis.url, LEASE_MS: '1000' };
    const owner = await startInstance({ ...environment, DATABASE_URL: through.href });
    const heir = await startInstance({ ...environment, DATABASE_URL: archive });
    const archived = async () => (await query(archive, 'SELECT session_id FROM archived_sessions')).length;
    try {
      const sessionId = randomUUID();
      const body = JSON.stringify({ session_id: sessionId, user_id: 'u', chief_complaint: 'cough' });
      const headers = { 'content-type': 'application/json' };
      await fetch(`${owner.http}/api/protocol`, { method: 'POST', headers, body });

      way.pause();
      const closing = fetch(`${owner.http}/api/session/${sessionId}`, { method: 'DELETE' }).catch(() => null);
      // The owner's log line about the silent archive shows that the conversation is on its way.
      await eventually(
        'the owner waits',
        () => owner.logs.filter((line) => line.includes('could not be archived')).length,
        (count) => count > 0,
      );
      owner.kill('SIGSTOP');
      await eventually(
        'the erasure',
        async () =>
          (await fetch(`${heir.http}/api/session/${sessionId}?erase=true`, { method: 'DELETE' })).status,
        (code) => code === 200,
      );
      owner.kill('SIGCONT');
      way.resume();
      await closing;

      // A later conversation in the archive shows that the former had enough time to arrive.
      const next = JSON.stringify({ session_id: randomUUID(), user_id: 'u', chief_complaint: 'fever' });
      const answer = await eventually(
        'an answer',
        async () => fetch(`${owner.http}/api/protocol`, { method: 'POST', headers, body: next }),
        ({ status }) => status === 200,
      );
      const { session_id: nextId } = (await answer.json()) as { readonly session_id: string };
      await fetch(`${owner.http}/api/session/${nextId}`, { method: 'DELETE' });
      await eventually('the next one is archived', archived, (count) => count === 1);
      expect((await fetch(`${heir.http}/api/archive/${sessionId}`)).status).toBe(404);
      expect((await fetch(`${heir.http}/api/archive/${nextId}`)).status).toBe(200);
    } finally {
      owner.kill('SIGCONT');
      await Promise.all([owner.stop(), heir.stop()]);
      await Promise.all([way.stop(), redis.stop(), postgres.stop()]);
    }
  }, 90_000);
});
