/** An operator can erase a session whose stored state is damaged or sealed with a lost key. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { type Service, startService } from '../../src/service.ts';
import { sessionKeys } from '../../src/store/redis/keys.ts';
import { openDatabase } from '../../src/store/sqlite/database.ts';
import { openLog } from '../../src/telemetry/log.ts';
import { ask } from '../support/instance/http.ts';
import { eventually } from '../support/instance/observed.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';
import { storeSnapshot } from '../support/instance/stored-snapshot.ts';

type Environment = Readonly<Record<string, string>>;

const KEY = (byte: number) => `k${byte}:${Buffer.alloc(32, byte).toString('base64')}`;

function start(environment: Environment): Promise<Service> {
  const config = readConfig({
    PORT: '0',
    SIMULATOR_TOKENS: '4',
    SIMULATOR_TOKENS_PER_SECOND: '0',
    HIBERNATE_MS: '50',
    LEASE_MS: '600',
    DRAIN_MS: '500',
    LOG_LEVEL: 'silent',
    ...environment,
  });
  return startService(config, openLog('silent', 'damaged'));
}

const httpOf = ({ port }: Service) => `http://127.0.0.1:${port}`;

async function chat(service: Service, userId: string): Promise<string> {
  const sessionId = randomUUID();
  await ask(httpOf(service), { session_id: sessionId, user_id: userId, chief_complaint: 'headache' });
  return sessionId;
}

async function del(
  service: Service,
  path: string,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${httpOf(service)}${path}`, { method: 'DELETE' });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const erase = (service: Service, sessionId: string) => del(service, `/api/session/${sessionId}?erase=true`);
const sleeps = (service: Service) =>
  eventually(
    'the session to sleep',
    async () => (await (await fetch(`${httpOf(service)}/healthz`)).json()) as { resident_sessions: number },
    ({ resident_sessions }) => resident_sessions === 0,
  );

/** Damages stored state, and finds its traces. */
interface Backing {
  readonly environment: () => Environment;
  readonly damages: Readonly<Record<string, (sessionId: string) => unknown>>;
  readonly traces: (sessionId: string) => Promise<number>;
}

let redis: RedisServer;
let direct: Redis;
const folders = [0, 1].map(() => mkdtempSync(join(tmpdir(), 'rehydra-damaged-')));
const [shared = '', own = ''] = folders;

beforeAll(async () => {
  redis = await startRedis();
  direct = new Redis(redis.port, '127.0.0.1');
});
afterAll(async () => {
  direct?.disconnect();
  await redis?.stop();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function inFile(sql: string, ...values: readonly unknown[]): readonly unknown[] {
  const { db, release } = openDatabase(own);
  try {
    const statement = db.prepare(sql);
    return statement.reader ? statement.all(...values) : [statement.run(...values)];
  } finally {
    release();
  }
}

const backings: Readonly<Record<string, Backing>> = {
  Redis: {
    environment: () => ({ REDIS_URL: redis.url, DATA_DIR: shared }),
    damages: {
      'a torn snapshot': (id) => storeSnapshot(direct, id, '{'),
      'a snapshot of another kind': (id) => storeSnapshot(direct, id, '{"value":7}'),
      'a version that is no number': (id) => direct.hset(sessionKeys(id).session, 'version', 'x'),
      'no head': (id) => direct.hdel(sessionKeys(id).session, 'head'),
      'a log of another type': (id) => direct.set(sessionKeys(id).log, 'x'),
      'a lost hash': (id) => direct.del(sessionKeys(id).session),
      'a hash of another type': (id) => direct.set(sessionKeys(id).session, 'x'),
    },
    traces: async (id) => (await direct.keys('*')).filter((key) => key.includes(id)).length,
  },
  'the embedded store': {
    environment: () => ({ DATA_DIR: own }),
    damages: {
      'a torn snapshot': (id) => inFile(`UPDATE sessions SET snapshot = '{' WHERE id = ?`, id),
      'a snapshot of another kind': (id) =>
        inFile(`UPDATE sessions SET snapshot = '{"value":7}' WHERE id = ?`, id),
      'a transcript that is no JSON': (id) =>
        inFile(`UPDATE transcript SET entry = '{' WHERE session = (SELECT n FROM sessions WHERE id = ?)`, id),
      'a torn log': (id) =>
        inFile(`UPDATE frames SET data = '{' WHERE session = (SELECT n FROM sessions WHERE id = ?)`, id),
    },
    traces: async (id) => inFile('SELECT 1 FROM sessions WHERE id = ?', id).length,
  },
};

describe.each(Object.entries(backings))('in %s', (_, { environment, damages, traces }) => {
  let service: Service;
  beforeAll(async () => {
    service = await start(environment());
  });
  afterAll(() => service?.drain());

  it.each(Object.entries(damages))(
    'an operator can erase a session with %s by its id',
    async (_damage, damage) => {
      const sessionId = await chat(service, 'dr-one');
      await sleeps(service);
      await damage(sessionId);
      expect(await erase(service, sessionId)).toMatchObject({ status: 200, body: { erased: true } });
      expect(await traces(sessionId)).toBe(0);
      expect((await fetch(`${httpOf(service)}/api/session/${sessionId}`)).status).toBe(404);
    },
  );

  it('a plain DELETE of a damaged session deletes nothing and tells how to erase it', async () => {
    const sessionId = await chat(service, 'dr-plain');
    await sleeps(service);
    await damages['a torn snapshot']?.(sessionId);
    const { status, body } = await del(service, `/api/session/${sessionId}`);
    expect({ status, body }).toMatchObject({
      status: 500,
      body: { error: { detail: expect.stringContaining('erase=true') } },
    });
    expect(await traces(sessionId)).toBeGreaterThan(0);
    expect((await erase(service, sessionId)).status).toBe(200);
  });

  it('an operator can erase a user with one damaged session, and the list still shows the other sessions', async () => {
    const userId = `dr-${randomUUID()}`;
    const ids = [await chat(service, userId), await chat(service, userId), await chat(service, userId)];
    await sleeps(service);
    await damages['a torn snapshot']?.(ids[1]!);
    const listed = await fetch(`${httpOf(service)}/api/sessions?user_id=${userId}`);
    expect(await listed.json()).toMatchObject({ count: 2 });
    expect(await del(service, `/api/users/${userId}`)).toMatchObject({
      status: 200,
      body: { erased: true, live_sessions: 3 },
    });
    for (const sessionId of ids) expect(await traces(sessionId)).toBe(0);
  });

  it('an operator can erase a session with a lost key by its id', async () => {
    const where = environment();
    await service.drain();
    service = await start({ ...where, DATA_KEYS: KEY(1) });
    const sessionId = await chat(service, 'dr-sealed');
    await service.drain();
    service = await start({ ...where, DATA_KEYS: KEY(2) });
    expect(await erase(service, sessionId)).toMatchObject({ status: 200, body: { erased: true } });
    expect(await traces(sessionId)).toBe(0);
  });
});
