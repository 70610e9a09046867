/**
 * With keys, no file of Redis, PostgreSQL or the embedded store contains text of a conversation, live or archived. The test
 * reads the files byte by byte.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { type Environment, type Instance, startInstance } from '../support/instance/instance.ts';
import { withRedis } from '../support/instance/observed.ts';
import { query, startPostgres } from '../support/instance/postgres.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { keyLine } from '../support/keys.ts';

const CANARY = 'Schmetterlingsgefühl7734';
/** The text as a file with ASCII escapes contains it. */
const PIECE = 'Schmetterlingsgef';
const FAST = { SIMULATOR_TOKENS_PER_SECOND: '0', LOG_LEVEL: 'trace' };
const [first, second] = [keyLine('first'), keyLine('second')];

const undo: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const one of undo.splice(0).reverse()) await one();
});

async function started(environment: Environment): Promise<Instance> {
  const instance = await startInstance({ ...FAST, ...environment });
  undo.push(() => instance.stop());
  return instance;
}

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'rehydra-sealing-'));
  undo.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function filesWith(dir: string, text: string): readonly string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => readFileSync(file).includes(text));
}

async function talk(instance: Instance): Promise<{ readonly sessionId: string; readonly head: number }> {
  const client = await TestClient.greet(instance.url, { after: 0, user_id: 'anna' });
  client.message('m1', `I have a ${CANARY} in my chest`);
  const { turn_id } = await client.completed('m1');
  expect(client.turnText(turn_id)).toContain(CANARY);
  const { sessionId } = client;
  const head = client.offsets().at(-1) ?? 0;
  await client.close();
  return { sessionId, head };
}

async function goesOn(instance: Instance, sessionId: string, messageId: string): Promise<void> {
  const client = await TestClient.greet(instance.url, { session_id: sessionId, after: 0, user_id: 'anna' });
  expect(client.welcome).toMatchObject({ resumed: true });
  client.message(messageId, 'What did I tell you?');
  const { turn_id } = await client.completed(messageId);
  expect(client.turnText(turn_id)).toContain(CANARY);
  await client.close();
}

async function ended(instance: Instance, sessionId: string): Promise<void> {
  const { status } = await fetch(`${instance.http}/api/session/${sessionId}`, { method: 'DELETE' });
  expect(status).toBe(200);
  const found = await fetch(`${instance.http}/api/archive?text=${encodeURIComponent(CANARY)}`);
  expect(await found.json()).toMatchObject({ count: 1 });
  const lives = await fetch(`${instance.http}/api/archive/${sessionId}`);
  expect(JSON.stringify(await lives.json())).toContain(CANARY);
}

describe('with keys', () => {
  it('with keys, Redis and PostgreSQL hold no word of a conversation, live or archived, and another instance continues it', async () => {
    const args = ['--rdbcompression', 'no', '--save', '3600', '1'];
    const redis = await startRedis({ appendonly: 'always', args });
    undo.push(() => redis.stop());
    const postgres = await startPostgres();
    undo.push(() => postgres.stop());
    const archive = await postgres.database();
    const holding = async (text: string) => {
      await withRedis(redis.url, (client) => client.save());
      await query(archive, 'CHECKPOINT');
      return [
        ...filesWith(redis.dir, text),
        ...(postgres.dataDir === null ? [] : filesWith(postgres.dataDir, text)),
      ];
    };
    const environment = { REDIS_URL: redis.url, DATABASE_URL: archive, DATA_KEYS: first };
    const instances = [await started(environment), await started(environment)] as const;
    const { sessionId } = await talk(instances[0]);
    expect((await holding(sessionId)).length).toBeGreaterThan(0);
    expect(await holding(PIECE)).toEqual([]);
    await goesOn(instances[1], sessionId, 'm2');
    await ended(instances[1], sessionId);
    expect(await holding(PIECE)).toEqual([]);
    for (const { logs } of instances) {
      expect(logs.filter((line) => line.includes(PIECE))).toEqual([]);
      expect(logs.filter((line) => line.includes(first.slice(6)))).toEqual([]);
    }
  });

  it('the embedded store goes on after a restart with a new key before the old one, and refuses to read without the old one', async () => {
    const DATA_DIR = folder();
    const before = await started({ DATA_DIR, DATA_KEYS: first });
    const { sessionId } = await talk(before);
    expect(await before.stop()).toBe(0);
    expect(filesWith(DATA_DIR, PIECE)).toEqual([]);

    const stranger = await started({ DATA_DIR, DATA_KEYS: second });
    const refused = await TestClient.open(stranger.url);
    refused.send({ type: 'hello', session_id: sessionId, user_id: 'anna' });
    expect(await refused.waitForType('error')).toMatchObject({ code: 'internal' });
    expect((await fetch(`${stranger.http}/api/session/${sessionId}`)).status).toBe(503);
    expect(stranger.logs.join('\n')).toContain('cannot be decrypted');
    expect(await stranger.stop()).toBe(0);
    const keyless = await started({ DATA_DIR });
    expect((await fetch(`${keyless.http}/api/session/${sessionId}`)).status).toBe(503);
    expect(await keyless.stop()).toBe(0);

    const rotated = await started({ DATA_DIR, DATA_KEYS: `${second},${first}` });
    await goesOn(rotated, sessionId, 'm3');
    await ended(rotated, sessionId);
    expect(filesWith(DATA_DIR, PIECE)).toEqual([]);
  });

  it('a conversation from before the first key goes on, and its later writes are sealed', async () => {
    const DATA_DIR = folder();
    const plain = await started({ DATA_DIR });
    const { sessionId } = await talk(plain);
    expect(await plain.stop()).toBe(0);
    expect(filesWith(DATA_DIR, PIECE).length).toBeGreaterThan(0);
    const sealed = await started({ DATA_DIR, DATA_KEYS: first });
    await goesOn(sealed, sessionId, 'm2');
  });

  it('a service with unusable keys does not start and names the reason without the keys', async () => {
    const secret = 'c2VjcmV0LXRoYXQtaXMtdG9vLXNob3J0';
    await expect(startInstance({ DATA_KEYS: `one:${secret}` })).rejects.toThrow(
      /DATA_KEYS key 1 of 1 is not/,
    );
    await expect(startInstance({ DATA_KEYS: `one:${secret}` })).rejects.not.toThrow(secret);
  });
});
