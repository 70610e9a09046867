/** Ended conversations with real processes: an owner archives each once before it deletes the keys, whatever dies. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { type Environment, type Instance, startInstance } from '../support/instance/instance.ts';
import { eventually, metric, tracesOf } from '../support/instance/observed.ts';
import { query, startPostgres } from '../support/instance/postgres.ts';
import { startProxy } from '../support/instance/proxy.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';

type Json = Readonly<Record<string, unknown>>;

const PACE = { SIMULATOR_TOKENS: '12', SIMULATOR_TOKENS_PER_SECOND: '0' };
const HOUR = { SESSION_IDLE_MS: '3600000' };
/** Long enough to take the archive away before the session ends. */
const SHORT = { SESSION_IDLE_MS: '5000', SESSION_WARN_MS: '300', LEASE_MS: '1000', HIBERNATE_MS: '300' };
const BRIEF = { SESSION_IDLE_MS: '1500', SESSION_WARN_MS: '300', LEASE_MS: '1000', HIBERNATE_MS: '300' };

async function get(instance: Instance, path: string) {
  const response = await fetch(`${instance.http}${path}`);
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') === true;
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: (isJson ? JSON.parse(text) : {}) as Json,
  };
}

async function del(instance: Instance, sessionId: string): Promise<number> {
  return (await fetch(`${instance.http}/api/session/${sessionId}`, { method: 'DELETE' })).status;
}

async function say(instance: Instance, sessionId: string, complaint: string, more: Json = {}): Promise<void> {
  const response = await fetch(`${instance.http}/api/protocol`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ session_id: sessionId, chief_complaint: complaint, ...more }),
  });
  expect(response.status, await response.text()).toBe(200);
}

async function hits(instance: Instance, query: string): Promise<readonly Json[]> {
  return (await get(instance, `/api/archive?${query}`)).body.sessions as readonly Json[];
}

const isGone = (instance: Instance, sessionId: string) =>
  eventually(
    'the end of the session',
    async () => (await get(instance, `/api/session/${sessionId}`)).status,
    (status) => status === 404,
  );

describe.each(['Redis', 'the embedded store'])('the archive beside %s', (kind) => {
  let redis: RedisServer | null = null;
  let folder = '';
  let instance: Instance;
  let brief: Instance;
  beforeAll(async () => {
    redis = kind === 'Redis' ? await startRedis() : null;
    // The instance that ends a session archives it, so instances with one store share an archive.
    folder = mkdtempSync(join(tmpdir(), 'rehydra-archive-'));
    const where: Environment = redis === null ? {} : { REDIS_URL: redis.url, DATA_DIR: folder };
    instance = await startInstance({ ...PACE, ...HOUR, ...where });
    brief = await startInstance({ ...PACE, ...BRIEF, ...where });
  });
  afterAll(async () => {
    await Promise.all([instance?.stop(), brief?.stop()]);
    await redis?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('an archive has the conversation of a closed session: found, read, downloaded, exported', async () => {
    const sessionId = randomUUID();
    const whose = { user_id: 'dr a', diagnosis_id: 'd-7', client_id: 'web', age: '45' };
    await say(instance, sessionId, 'chest pain', whose);
    await say(instance, sessionId, 'also has diabetes', { user_id: 'dr a' });
    expect((await get(instance, `/api/archive/${sessionId}`)).status).toBe(404);
    expect(await del(instance, sessionId)).toBe(200);

    const [hit] = await hits(instance, 'text=diabetes&user_id=dr+a&diagnosis_id=d-7&from=2026-01-01');
    expect(hit).toMatchObject({ session_id: sessionId, end_reason: 'admin', conversation_count: 2 });
    expect(hit?.snippet).toContain('diabetes');
    expect(await hits(instance, 'text=diabetes&user_id=dr+b')).toEqual([]);
    expect(await hits(instance, 'text=diabetes&to=2026-01-01')).toEqual([]);

    const { body } = await get(instance, `/api/archive/${sessionId}`);
    expect(body).toMatchObject({ session_id: sessionId });
    const [life] = body.lives as readonly Json[];
    expect(life).toMatchObject({
      user_id: 'dr a',
      diagnosis_id: 'd-7',
      client_id: 'web',
      end_reason: 'admin',
    });
    expect(life?.patient).toMatchObject({ age: { given: '45' } });
    const said = life?.transcript as readonly Json[];
    expect(said.map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant']);
    expect(said[0]).toMatchObject({ content: 'chest pain', author: 'dr a' });
    expect(life?.turns).toMatchObject([{ outcome: 'completed' }, { outcome: 'completed' }]);

    const markdown = await get(instance, `/api/archive/${sessionId}?format=markdown`);
    expect(markdown.headers.get('content-disposition')).toContain(`${sessionId}.md`);
    expect(markdown.text).toContain('> also has diabetes');
    const fhir = await get(instance, `/api/archive/${sessionId}?format=fhir-communication`);
    expect(fhir.body).toMatchObject({ resourceType: 'Bundle' });
    expect(fhir.body.entry).toHaveLength(4);

    const exported = await get(instance, '/api/archive/export?user_id=dr+a');
    expect(exported.body).toMatchObject({ count: 1, cursor: null, sessions: [life] });
  });

  it('an archive has the patient from the hello of a client', async () => {
    const sessionId = randomUUID();
    const client = await TestClient.greet(instance.url, { session_id: sessionId, patient: { age: 60 } });
    client.message('m-1', 'my knee hurts');
    await client.completed('m-1');
    expect(await del(instance, sessionId)).toBe(200);
    const { body } = await get(instance, `/api/archive/${sessionId}`);
    expect(body.lives).toMatchObject([{ patient: { age: { years: 60 } } }]);
  });

  it('an archive has a session that expired without a close', async () => {
    const sessionId = randomUUID();
    await say(brief, sessionId, 'an itching elbow');
    await isGone(brief, sessionId);
    const { body } = await get(brief, `/api/archive/${sessionId}`);
    expect(body.lives).toMatchObject([{ end_reason: 'idle', conversation_count: 1 }]);
  });

  it('an archive shows every life of a reused id, newest first', async () => {
    const sessionId = randomUUID();
    for (const complaint of ['the first life', 'the second life']) {
      await say(instance, sessionId, complaint);
      expect(await del(instance, sessionId)).toBe(200);
    }
    const { body } = await get(instance, `/api/archive/${sessionId}`);
    expect((body.lives as readonly Json[]).map(({ patient }) => patient)).toMatchObject([
      { chief_complaints: ['the second life'] },
      { chief_complaints: ['the first life'] },
    ]);
  });

  it('the pages of an archive have each conversation once, and a foreign cursor is refused', async () => {
    const user = `pages-${randomUUID()}`;
    const sessions = Array.from({ length: 5 }, () => randomUUID());
    for (const sessionId of sessions) {
      await say(instance, sessionId, 'cough', { user_id: user });
      expect(await del(instance, sessionId)).toBe(200);
    }
    for (const path of ['/api/archive', '/api/archive/export']) {
      const seen: unknown[] = [];
      for (let cursor: unknown = ''; cursor !== null; ) {
        const after = cursor === '' ? '' : `&cursor=${cursor}`;
        const { body } = await get(instance, `${path}?limit=2&user_id=${user}${after}`);
        seen.push(...(body.sessions as readonly Json[]).map(({ session_id }) => session_id));
        cursor = body.cursor;
      }
      expect(seen).toEqual(sessions.toReversed());
      expect((await get(instance, `${path}?cursor=%2F%2F`)).status).toBe(400);
      expect((await get(instance, `${path}?from=yesterday`)).status).toBe(400);
    }
  });

  it('an archive has no session without a message', async () => {
    const client = await TestClient.greet(instance.url);
    client.send({ type: 'close' });
    await client.closed;
    await isGone(instance, client.sessionId);
    expect((await get(instance, `/api/archive/${client.sessionId}`)).status).toBe(404);
  });
});

describe('a session whose owner is killed after archiving it and before deleting it', () => {
  /** Locks the archive, so that a writer waits. */
  function holdArchive(folder: string): { release(): void; rows(sessionId: string): number } {
    const db = new Database(join(folder, 'archive.db'), { timeout: 5_000 });
    const count = db.prepare('SELECT COUNT(*) AS n FROM archived_sessions WHERE session_id = ?');
    db.exec('BEGIN IMMEDIATE');
    return {
      release: () => void db.exec('ROLLBACK'),
      rows: (sessionId) => (count.get(sessionId) as { readonly n: number }).n,
    };
  }

  /** The owner logs this after a lease, and its transaction waits for the lock much longer. */
  const waits = (owner: Instance) =>
    eventually(
      'the owner to wait for its archive',
      async () => owner.logs.some((line) => line.includes('no answer within')),
      (isWaiting) => isWaiting,
    );

  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'rehydra-archive-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('on Redis, a session whose owner died after archiving it is ended by the next owner and archived once', async () => {
    const redis = await startRedis();
    const proxy = await startProxy(redis.port);
    const dataDir = join(folder, 'shared');
    const environment = { ...PACE, ...BRIEF, DATA_DIR: dataDir };
    const owner = await startInstance({ ...environment, REDIS_URL: `redis://127.0.0.1:${proxy.port}` });
    const sessionId = randomUUID();
    const archive = holdArchive(dataDir);
    await say(owner, sessionId, 'chest pain');
    await waits(owner);
    // From here on none of its writes reaches Redis, but the archive still gets its sessions.
    proxy.pause();
    archive.release();
    await eventually(
      'the archived session',
      () => archive.rows(sessionId),
      (rows) => rows === 1,
    );
    owner.kill('SIGKILL');
    await owner.exited;
    await proxy.stop();
    expect((await tracesOf(redis.url, sessionId)).length).toBeGreaterThan(0);

    const heir = await startInstance({ ...environment, REDIS_URL: redis.url });
    await isGone(heir, sessionId);
    expect(await tracesOf(redis.url, sessionId)).toEqual([]);
    expect((await get(heir, `/api/archive/${sessionId}`)).body.lives).toMatchObject([
      { end_reason: 'idle', conversation_count: 1 },
    ]);
    expect(archive.rows(sessionId)).toBe(1);
    await heir.stop();
    await redis.stop();
  }, 90_000);

  it('in the embedded store, a session whose owner died after archiving it ends after the restart and is archived once', async () => {
    const dataDir = join(folder, 'embedded');
    const environment = { ...PACE, ...BRIEF, DATA_DIR: dataDir };
    const owner = await startInstance(environment);
    const sessionId = randomUUID();
    const archive = holdArchive(dataDir);
    await say(owner, sessionId, 'chest pain');
    await waits(owner);
    const store = new Database(join(dataDir, 'rehydra.db'), { timeout: 5_000 });
    store.exec('BEGIN IMMEDIATE');
    archive.release();
    await eventually(
      'the archived session',
      () => archive.rows(sessionId),
      (rows) => rows === 1,
    );
    owner.kill('SIGKILL');
    await owner.exited;
    store.exec('ROLLBACK');
    const kept = store.prepare('SELECT COUNT(*) AS n FROM sessions WHERE id = ?').get(sessionId);
    expect(kept).toMatchObject({ n: 1 });
    store.close();

    const again = await startInstance(environment);
    await isGone(again, sessionId);
    expect((await get(again, `/api/archive/${sessionId}`)).body.lives).toHaveLength(1);
    expect(archive.rows(sessionId)).toBe(1);
    await again.stop();
  }, 90_000);
});

describe('a session whose archive is away', () => {
  it.each(['Redis', 'the embedded store'])(
    'without its archive a session on %s stays readable, and it ends once the archive is back',
    async (kind) => {
      const postgres = await startPostgres();
      const database = new URL(await postgres.database());
      const proxy = await startProxy(Number(database.port));
      database.port = String(proxy.port);
      const redis = kind === 'Redis' ? await startRedis() : null;
      const where: Environment = redis === null ? {} : { REDIS_URL: redis.url };
      const instance = await startInstance({ ...PACE, ...SHORT, ...where, DATABASE_URL: database.href });
      try {
        const sessionId = randomUUID();
        await say(instance, sessionId, 'chest pain');
        proxy.refuse(true);
        proxy.cut();
        await eventually(
          'several attempts at its end',
          () => instance.logs.filter((line) => line.includes('could not be archived')).length,
          (attempts) => attempts >= 3,
        );
        expect((await get(instance, `/api/session/${sessionId}`)).status).toBe(200);
        const { body } = await get(instance, `/api/session/${sessionId}/transcript`);
        expect(body.transcript).toHaveLength(2);
        expect(await del(instance, sessionId)).toBe(503);
        expect((await get(instance, '/api/archive')).status).toBe(503);

        proxy.refuse(false);
        await isGone(instance, sessionId);
        expect((await get(instance, `/api/archive/${sessionId}`)).body.lives).toHaveLength(1);
      } finally {
        await instance.stop();
        await redis?.stop();
        await proxy.stop();
        await postgres.stop();
      }
    },
    90_000,
  );
});

describe('an archive that answers nothing at all', () => {
  it('an archive that never answers blocks no client and no drain, and has every session once after it recovers', async () => {
    const postgres = await startPostgres();
    const database = new URL(await postgres.database());
    const direct = database.href;
    const proxy = await startProxy(Number(database.port));
    database.port = String(proxy.port);
    const redis = await startRedis();
    const environment = { ...PACE, ...SHORT, REDIS_URL: redis.url, DATABASE_URL: database.href };
    const leaving = await startInstance(environment);
    let heir: Instance | null = null;
    try {
      const sessionId = randomUUID();
      await say(leaving, sessionId, 'chest pain');
      proxy.pause();
      await eventually(
        'an attempt at its end that is given up',
        () => leaving.logs.some((line) => line.includes('could not be archived')),
        (isGivenUp) => isGivenUp,
      );
      await say(leaving, sessionId, 'and an itching elbow');
      expect(await get(leaving, '/healthz')).toMatchObject({ status: 200, body: { archive: { ok: false } } });
      leaving.kill('SIGTERM');
      expect(await leaving.exited).toEqual({ code: 0, signal: null });

      proxy.resume();
      heir = await startInstance({ ...environment, DATABASE_URL: direct });
      await isGone(heir, sessionId);
      const { body } = await get(heir, `/api/archive/${sessionId}`);
      const [life, ...others] = body.lives as readonly Json[];
      expect(others).toEqual([]);
      expect(life).toMatchObject({ conversation_count: 2 });
      expect(life?.transcript).toHaveLength(4);
    } finally {
      await leaving.stop();
      await heir?.stop();
      await redis.stop();
      await proxy.stop();
      await postgres.stop();
    }
  }, 90_000);
});

describe('a PostgreSQL that stops and is started again', () => {
  it('clients talk on while PostgreSQL is down, and ended sessions are archived once before their keys go', async () => {
    const postgres = await startPostgres();
    const database = await postgres.database();
    const redis = await startRedis();
    const shared = { ...PACE, REDIS_URL: redis.url, DATABASE_URL: database };
    const instance = await startInstance({ ...shared, ...HOUR });
    const brief = await startInstance({ ...shared, ...SHORT });
    const failed = 'could not be archived';
    const rows = async (sessionId: string) => {
      const found = await query(
        database,
        'SELECT COUNT(*)::int AS n FROM archived_sessions WHERE session_id = $1',
        [sessionId],
      );
      return (found as readonly { readonly n: number }[])[0]?.n;
    };
    try {
      const [ends, goesOn] = [randomUUID(), randomUUID()];
      const client = await TestClient.greet(instance.url);
      client.message('m', 'chest pain');
      await client.completed('m');
      await say(instance, goesOn, 'a cough');
      await say(brief, ends, 'an itching elbow');
      await postgres.halt();

      await eventually(
        'several attempts at its end',
        () => [instance, brief].flatMap(({ logs }) => logs.filter((line) => line.includes(failed))).length,
        (attempts) => attempts >= 3,
      );
      expect((await tracesOf(redis.url, ends)).length).toBeGreaterThan(0);
      await say(instance, goesOn, 'also a fever');
      client.send({ type: 'close' });
      expect(await client.waitForType('error')).toMatchObject({
        code: 'archive_unavailable',
        retryable: true,
      });

      for (const path of ['/api/archive', '/api/archive/export', `/api/archive/${ends}`, '/api/analytics']) {
        const { status, headers, body } = await get(instance, path);
        expect({ path, status }).toEqual({ path, status: 503 });
        expect(body.error).toMatchObject({ code: 'archive_unavailable', retryable: true });
        expect(headers.get('retry-after')).not.toBeNull();
      }
      const unknown = `/api/session/${randomUUID()}?erase=true`;
      for (const path of [`/api/session/${client.sessionId}`, unknown, '/api/users/dr-a']) {
        const response = await fetch(`${instance.http}${path}`, { method: 'DELETE' });
        const body = (await response.json()) as Json;
        expect({ path, status: response.status }).toEqual({ path, status: 503 });
        expect(body.error).toMatchObject({ code: 'archive_unavailable', retryable: true });
      }
      expect(await get(instance, '/readyz')).toMatchObject({ status: 200, body: { ready: true } });
      expect(await get(instance, '/healthz')).toMatchObject({
        status: 200,
        body: { status: 'ok', archive: { ok: false, kind: 'postgres' } },
      });
      await eventually(
        'the metrics to say so',
        () => metric(instance.http, 'rehydra_archive_up'),
        (up) => up === 0,
      );
      expect(await metric(instance.http, 'rehydra_store_up')).toBe(1);

      await postgres.restart();
      await isGone(brief, ends);
      expect(await tracesOf(redis.url, ends)).toEqual([]);
      expect(await rows(ends)).toBe(1);
      const { body } = await get(instance, `/api/archive/${ends}`);
      expect(body.lives).toMatchObject([{ end_reason: 'idle', conversation_count: 1 }]);
      client.send({ type: 'close' });
      expect(await client.closed).toMatchObject({ code: 1000 });
      expect(await rows(client.sessionId)).toBe(1);
      expect(await get(instance, '/healthz')).toMatchObject({ body: { archive: { ok: true } } });
      expect((await get(instance, `/api/session/${goesOn}`)).status).toBe(200);
      expect(await rows(goesOn)).toBe(0);
    } finally {
      await Promise.all([instance.stop(), brief.stop()]);
      await redis.stop();
      await postgres.stop();
    }
  }, 90_000);
});
