/** An attacker has backups of the store and the archive, and later the key file: what a retired key sealed is gone. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { Archive } from '../../src/archive/archive.ts';
import { openArchive } from '../../src/archive/open.ts';
import { TestClient } from '../support/instance/client.ts';
import { type Instance, startInstance } from '../support/instance/instance.ts';
import { ageKeyFile, runKeys } from '../support/instance/keys.ts';
import { sealingWith } from '../support/keys.ts';

const CANARY = 'Schmetterlingsgefuehl7734';

const undo: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const one of undo.splice(0).reverse()) await one();
});

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'rehydra-shredded-'));
  undo.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

async function talk(instance: Instance): Promise<string> {
  const client = await TestClient.greet(instance.url, { user_id: 'anna' });
  client.message('m1', `I have a ${CANARY} in my chest`);
  await client.completed('m1');
  await client.close();
  return client.sessionId;
}

async function end(instance: Instance, sessionId: string): Promise<void> {
  const { status } = await fetch(`${instance.http}/api/session/${sessionId}`, { method: 'DELETE' });
  expect(status).toBe(200);
}

const filesWithCanary = (dir: string) =>
  readdirSync(dir).filter((name) => readFileSync(join(dir, name)).includes(CANARY));

test('with daily keys a conversation older than the retention is unreadable in every backup, and younger ones are not', async () => {
  const [DATA_DIR, keyFolder] = [folder(), folder()];
  const DATA_KEYS_FILE = join(keyFolder, 'keys');
  const environment = { DATA_DIR, DATA_KEYS_FILE };
  const serving = async (work: (instance: Instance) => Promise<void>): Promise<void> => {
    const instance = await startInstance({ SIMULATOR_TOKENS_PER_SECOND: '0', ...environment });
    try {
      await work(instance);
    } finally {
      expect(await instance.stop()).toBe(0);
    }
  };
  const backup = (): string => {
    const dir = folder();
    cpSync(DATA_DIR, dir, { recursive: true });
    expect(filesWithCanary(dir)).toEqual([]);
    return dir;
  };
  const inArchive = async <T>(dataDir: string, use: (archive: Archive) => Promise<T>): Promise<T> => {
    const sealing = sealingWith(readFileSync(DATA_KEYS_FILE, 'utf8'));
    const archive = await openArchive({ databaseUrl: null, dataDir, sealing });
    try {
      return await use(archive);
    } finally {
      await archive.close();
    }
  };
  const verified = async (dataDir: string) => {
    const { code, summary } = await runKeys(['verify'], { DATA_DIR: dataDir, DATA_KEYS_FILE });
    const { keys, unopened } = summary as {
      keys: Record<string, { store: number; archive: number }>;
      unopened: number;
    };
    return { code, unopened, texts: (id: string) => (keys[id]?.store ?? 0) + (keys[id]?.archive ?? 0) };
  };

  // The first day: one conversation has ended, another one goes on.
  const first = String((await runKeys(['new', DATA_KEYS_FILE])).summary.key);
  const ids = { ended: '', living: '', young: '' };
  await serving(async (instance) => {
    ids.ended = await talk(instance);
    await end(instance, ids.ended);
    ids.living = await talk(instance);
  });
  const firstEvening = backup();
  const firstEndedBefore = Date.now();

  // The second day: the key is new, the other conversation ends, and a third one.
  const second = String((await runKeys(['rotate', DATA_KEYS_FILE])).summary.key);
  await serving(async (instance) => {
    await end(instance, ids.living);
    ids.young = await talk(instance);
    await end(instance, ids.young);
  });
  const secondEvening = backup();
  ageKeyFile(DATA_KEYS_FILE);
  const refused = await runKeys(['retire', DATA_KEYS_FILE, first], environment);
  expect(refused.code).toBe(1);
  expect(refused.said).toMatch(
    new RegExp(`${first} still seals 0 texts in the store, [1-9]\\d* in the archive`),
  );
  for (const dir of [firstEvening, secondEvening]) expect(await verified(dir)).toMatchObject({ code: 0 });

  // After the retention of the first day.
  await inArchive(DATA_DIR, (archive) => archive.retire(firstEndedBefore));
  const retired = await runKeys(['retire', DATA_KEYS_FILE, '--unused'], environment);
  expect(retired).toMatchObject({ code: 0, summary: { retired: [first] } });

  const old = await verified(firstEvening);
  expect(old.texts(first)).toBeGreaterThan(5);
  expect(old).toMatchObject({ code: 1, unopened: old.texts(first) });
  const mixed = await verified(secondEvening);
  expect(mixed.texts(first)).toBeGreaterThan(0);
  expect(mixed.texts(second)).toBeGreaterThan(mixed.texts(first));
  expect(mixed).toMatchObject({ code: 1, unopened: mixed.texts(first) });

  for (const dir of [firstEvening, secondEvening])
    await inArchive(dir, async (archive) => {
      await expect(archive.of('').read(ids.ended)).rejects.toMatchObject({ code: 'ARCHIVE_SEALED' });
      const { hits } = await archive.of('').search({ text: CANARY, limit: 10 });
      expect(hits.map(({ sessionId }) => sessionId)).not.toContain(ids.ended);
    });
  for (const dir of [secondEvening, DATA_DIR])
    await inArchive(dir, async (archive) => {
      for (const id of [ids.living, ids.young])
        expect(JSON.stringify(await archive.of('').read(id))).toContain(CANARY);
    });
  expect(await verified(DATA_DIR)).toMatchObject({ code: 0, unopened: 0 });
});
