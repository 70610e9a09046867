/** An operator rotates and retires data keys under running instances: real processes, a real Redis, a real key file. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openArchive } from '../../src/archive/open.ts';
import { TestClient } from '../support/instance/client.ts';
import { type Environment, type Instance, startInstance } from '../support/instance/instance.ts';
import { ageKeyFile, runKeys } from '../support/instance/keys.ts';
import { eventually, metric, withRedis } from '../support/instance/observed.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';

const CHANGED = 'data keys have changed';

let redis: RedisServer;
const undo: (() => Promise<unknown> | unknown)[] = [];
beforeAll(async () => {
  redis = await startRedis();
}, 60_000);
afterEach(async () => {
  for (const one of undo.splice(0).reverse()) await one();
  // `verify` reads the sessions of every test, and each test has keys of its own.
  await withRedis(redis.url, (client) => client.flushall());
});
afterAll(() => redis?.stop());

async function started(environment: Environment): Promise<Instance> {
  const instance = await startInstance({ SIMULATOR_TOKENS_PER_SECOND: '0', ...environment });
  undo.push(() => instance.stop());
  return instance;
}

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'rehydra-keys-'));
  undo.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

async function newKeyFile(): Promise<{ readonly file: string; readonly id: string }> {
  const file = join(folder(), 'keys');
  const { code, summary } = await runKeys(['new', file]);
  expect(code).toBe(0);
  return { file, id: String(summary.key) };
}

async function rotated(file: string): Promise<string> {
  const { code, summary } = await runKeys(['rotate', file]);
  expect(code).toBe(0);
  return String(summary.key);
}

const reloads = ({ logs }: Instance) => logs.filter((line) => line.includes(CHANGED)).length;

async function reloaded(instance: Instance, times = 1): Promise<void> {
  await eventually(
    'the reload of the keys',
    () => reloads(instance),
    (count) => count >= times,
  );
}

async function talk(instance: Instance, session_id?: string): Promise<string> {
  const hello = { after: 0, user_id: 'anna', ...(session_id === undefined ? {} : { session_id }) };
  const client = await TestClient.greet(instance.url, hello);
  const messageId = `m${Math.random()}`;
  client.message(messageId, 'I have a headache');
  await client.completed(messageId);
  await client.close();
  return client.sessionId;
}

async function end(instance: Instance, sessionId: string): Promise<void> {
  const { status } = await fetch(`${instance.http}/api/session/${sessionId}`, { method: 'DELETE' });
  expect(status).toBe(200);
}

/** The secrets of a key file, to look for them in what programs print. */
const secretsIn = (file: string) =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.slice(line.indexOf(':') + 1));

describe('data keys of running instances', () => {
  it('after SIGHUP an instance seals with the new key, another one reads that without a signal, and the old key retires once it seals nothing', async () => {
    const { file, id: old } = await newKeyFile();
    const environment = { REDIS_URL: redis.url, DATA_DIR: folder(), DATA_KEYS_FILE: file };
    const [signalled, other] = [await started(environment), await started(environment)];
    const sessionId = await talk(signalled);
    const before = await runKeys(['verify'], environment);
    expect(before).toMatchObject({ code: 0, summary: { keys: { [old]: { archive: 0 } }, unopened: 0 } });
    expect(Object.keys(Object(before.summary.keys))).toEqual([old]);

    const young = await rotated(file);
    signalled.kill('SIGHUP');
    await reloaded(signalled);
    const sealedByNew = await talk(signalled);
    await talk(signalled, sessionId);
    const between = await runKeys(['verify'], environment);
    expect(between.summary).toMatchObject({
      keys: { [old]: { store: expect.any(Number) }, [young]: { store: expect.any(Number) } },
      unopened: 0,
    });
    await talk(other, sealedByNew);
    expect(reloads(other)).toBe(1);

    const secrets = secretsIn(file);
    const tooEarly = await runKeys(['retire', file, old], environment);
    expect(tooEarly).toMatchObject({ code: 1, summary: { retired: [] } });
    expect(tooEarly.said).toContain('has changed within two minutes');
    ageKeyFile(file);
    const refused = await runKeys(['retire', file, old], environment);
    expect(refused).toMatchObject({ code: 1, summary: { retired: [] } });
    expect(refused.said).toMatch(
      new RegExp(`${old} still seals [1-9]\\d* texts in the store, 0 in the archive`),
    );
    expect(await runKeys(['retire', file, '--unused'], environment)).toMatchObject({
      code: 0,
      summary: { retired: [] },
    });
    expect(secretsIn(file)).toEqual(secrets);

    await end(other, sessionId);
    const retired = await runKeys(['retire', file, old], environment);
    expect(retired).toMatchObject({ code: 0, summary: { retired: [old] } });
    expect(secretsIn(file)).toEqual(secrets.slice(0, 1));
    signalled.kill('SIGHUP');
    await reloaded(signalled, 2);
    const archived = await fetch(`${signalled.http}/api/archive/${sessionId}`);
    expect(JSON.stringify(await archived.json())).toContain('I have a headache');
    await talk(signalled, sealedByNew);
    const after = await runKeys(['verify'], environment);
    expect(after).toMatchObject({ code: 0, summary: { unopened: 0 } });
    expect(Object.keys(Object(after.summary.keys))).toEqual([young]);

    const printed = [
      ...signalled.logs,
      ...other.logs,
      before.said,
      refused.said,
      retired.said,
      after.said,
    ].join();
    for (const secret of secrets) expect(printed).not.toContain(secret);
  });

  it('three rotations under load lose no turn, although sessions hop between an instance that has the signal and one that has not', async () => {
    const { file } = await newKeyFile();
    const environment = { REDIS_URL: redis.url, DATA_DIR: folder(), DATA_KEYS_FILE: file };
    const instances = [await started(environment), await started(environment)] as const;
    let turns = 0;
    let isRotating = true;
    const hop = async (start: number): Promise<void> => {
      const sessionId = await talk(instances[0]);
      for (let hops = start; isRotating || hops < start + 4; hops += 1) {
        await talk(instances[hops % 2 === 0 ? 0 : 1], sessionId);
        turns += 1;
      }
    };
    const hopping = Promise.all(Array.from({ length: 6 }, (_, start) => hop(start)));
    const ids: string[] = [];
    for (const rotation of [0, 1, 2]) {
      const before = turns;
      ids.unshift(await rotated(file));
      const signalled = instances[rotation % 2 === 0 ? 0 : 1];
      signalled.kill('SIGHUP');
      for (const instance of instances) await reloaded(instance, rotation + 1);
      await eventually(
        'turns after the rotation',
        () => turns,
        (count) => count > before + 6,
      );
    }
    isRotating = false;
    await hopping;
    for (const { http } of instances) expect(await metric(http, 'rehydra_sealed_unopened_total')).toBe(0);
    const { code, summary } = await runKeys(['verify'], environment);
    expect({ code, unopened: summary.unopened }).toEqual({ code: 0, unopened: 0 });
    expect(Object.keys(Object(summary.keys))).toEqual(expect.arrayContaining(ids));
  });

  it.runIf(process.platform === 'linux')(
    'SIGHUP to a supervisor makes each of its workers read the key file again',
    async () => {
      const { file } = await newKeyFile();
      const DATA_DIR = folder();
      const group = await started({ WORKERS: '2', REDIS_URL: redis.url, DATA_DIR, DATA_KEYS_FILE: file });
      await rotated(file);
      group.kill('SIGHUP');
      await reloaded(group, 2);
    },
  );

  it('an instance whose key file breaks goes on with its former keys and logs the reason without a byte of the file', async () => {
    const { file } = await newKeyFile();
    const instance = await started({ DATA_KEYS_FILE: file });
    const sessionId = await talk(instance);
    const secret = 'c2VjcmV0LW9mLWEta2V5';
    writeFileSync(file, `half-a-key:${secret}`);
    instance.kill('SIGHUP');
    const logged = await eventually(
      'the reason in the log',
      () => instance.logs.find((line) => line.includes('data keys could not be read again')) ?? '',
      (line) => line !== '',
    );
    expect(logged).toContain('key 1 of 1 is not id:base64');
    expect(instance.logs.join()).not.toContain(secret);
    await talk(instance, sessionId);
  });
});

describe('the program of keys', () => {
  it('a key of another deployment stays: retiring needs the environment whose service uses the file', async () => {
    const { file, id } = await newKeyFile();
    await rotated(file);
    ageKeyFile(file);
    const { file: another } = await newKeyFile();
    for (const environment of [{}, { DATA_KEYS_FILE: another }]) {
      const refused = await runKeys(['retire', file, id], { DATA_DIR: folder(), ...environment });
      expect(refused.code).toBe(1);
      expect(refused.said).toContain(`DATA_KEYS_FILE does not name ${file}`);
    }
    expect(secretsIn(file)).toHaveLength(2);
  });

  it('the first key of a file cannot be retired, nor a key that the file does not have', async () => {
    const { file } = await newKeyFile();
    const first = await rotated(file);
    ageKeyFile(file);
    const environment = { DATA_DIR: folder(), DATA_KEYS_FILE: file };
    expect((await runKeys(['retire', file, first], environment)).said).toContain(
      'rotate before you retire it',
    );
    expect((await runKeys(['retire', file, 'unknown'], environment)).said).toContain('has no key unknown');
    expect(secretsIn(file)).toHaveLength(2);
  });

  it('a key in use stays if DATA_DIR is missing or mistyped, and the program creates nothing there', async () => {
    const { file, id } = await newKeyFile();
    const [DATA_DIR, elsewhere] = [folder(), folder()];
    const instance = await started({ DATA_DIR, DATA_KEYS_FILE: file });
    const sessionId = await talk(instance);
    await instance.stop();
    await rotated(file);
    ageKeyFile(file);
    const mistyped = join(elsewhere, 'dta');
    for (const wrong of [mistyped, elsewhere])
      for (const args of [
        ['retire', file, id],
        ['retire', file, '--unused', '--although-empty'],
        ['verify'],
      ]) {
        const refused = await runKeys(args, { DATA_DIR: wrong, DATA_KEYS_FILE: file });
        expect(refused.code).toBe(1);
        const [store, archive, ...reason] = refused.said.trim().split('\n');
        expect(store).toBe(`store: ${join(wrong, 'rehydra.db')}`);
        expect(archive).toBe(`archive: ${join(wrong, 'archive.db')}`);
        expect(reason).toEqual([expect.stringContaining(`DATA_DIR=${wrong} has no store`)]);
      }
    expect(existsSync(mistyped)).toBe(false);
    expect(readdirSync(elsewhere)).toEqual([]);
    expect(secretsIn(file)).toHaveLength(2);
    const again = await started({ DATA_DIR, DATA_KEYS_FILE: file });
    await talk(again, sessionId);
  });

  it('a key in use stays if only the archive is missing where DATA_DIR points, and no archive is created', async () => {
    const { file, id } = await newKeyFile();
    const instance = await started({ REDIS_URL: redis.url, DATA_DIR: folder(), DATA_KEYS_FILE: file });
    await end(instance, await talk(instance));
    await rotated(file);
    ageKeyFile(file);
    instance.kill('SIGHUP');
    await reloaded(instance);
    await talk(instance);
    const wrong = folder();
    const environment = { REDIS_URL: redis.url, DATA_DIR: wrong, DATA_KEYS_FILE: file };
    for (const args of [['retire', file, id], ['verify']]) {
      const refused = await runKeys(args, environment);
      expect(refused.code).toBe(1);
      expect(refused.said).toContain(`DATA_DIR=${wrong} has no archive`);
    }
    const inMemory = await runKeys(['verify'], { ...environment, DATA_DIR: ':memory:' });
    expect(inMemory.code).toBe(1);
    expect(inMemory.said).toContain('DATA_DIR=:memory: keeps the archive in the memory of the service');
    expect(readdirSync(wrong)).toEqual([]);
    expect(secretsIn(file)).toHaveLength(2);
  });

  it('a key stays if the store and the archive hold nothing that a key of its file seals', async () => {
    const { file, id } = await newKeyFile();
    await rotated(file);
    ageKeyFile(file);
    const { file: another } = await newKeyFile();
    const DATA_DIR = folder();
    const instance = await started({ DATA_DIR, DATA_KEYS_FILE: another });
    await talk(instance);
    await instance.stop();
    for (const args of [[id], ['--unused'], [id, '--although-empty']]) {
      const refused = await runKeys(['retire', file, ...args], { DATA_DIR, DATA_KEYS_FILE: file });
      expect(refused).toMatchObject({ code: 1, summary: { retired: [] } });
      expect(refused.said).toContain(
        `nothing in the store or the archive is sealed with a key of ${file}: is this the environment of the service?`,
      );
    }
    expect(secretsIn(file)).toHaveLength(2);
  });

  it('--although-empty retires no key where conversations are stored without a key', async () => {
    const { file, id } = await newKeyFile();
    await rotated(file);
    ageKeyFile(file);
    const DATA_DIR = folder();
    const keyless = await started({ DATA_DIR });
    await talk(keyless);
    await keyless.stop();
    const args = ['retire', file, id, '--although-empty'];
    const refused = await runKeys(args, { DATA_DIR, DATA_KEYS_FILE: file });
    expect(refused).toMatchObject({ code: 1, summary: { retired: [] } });
    expect(refused.said).toContain('is this the environment of the service?');
    expect(secretsIn(file)).toHaveLength(2);
  });

  it('where nothing is stored yet, a key retires only with --although-empty', async () => {
    const { file, id } = await newKeyFile();
    const environment = { DATA_DIR: folder(), DATA_KEYS_FILE: file };
    const instance = await started(environment);
    await instance.stop();
    ageKeyFile(file);
    expect(await runKeys(['retire', file, '--unused'], environment)).toMatchObject({
      code: 0,
      summary: { retired: [] },
    });
    await rotated(file);
    ageKeyFile(file);
    const refused = await runKeys(['retire', file, id], environment);
    expect(refused.code).toBe(1);
    expect(refused.said).toContain('is this the environment of the service?');
    expect(refused.said).toContain('--although-empty');
    expect(secretsIn(file)).toHaveLength(2);
    expect(await runKeys(['retire', file, id, '--although-empty'], environment)).toMatchObject({
      code: 0,
      summary: { retired: [id] },
    });
  });

  it('verify and retire name the store and the archive that they read, without passwords', async () => {
    const { file, id } = await newKeyFile();
    const DATA_DIR = folder();
    const environment = { REDIS_URL: redis.url, DATA_DIR, DATA_KEYS_FILE: file };
    const instance = await started(environment);
    await talk(instance);
    await rotated(file);
    ageKeyFile(file);
    for (const args of [['verify'], ['retire', file, id]]) {
      const [store, archive] = (await runKeys(args, environment)).said.split('\n');
      expect(store).toBe(`store: ${redis.url}`);
      expect(archive).toBe(`archive: ${join(DATA_DIR, 'archive.db')}`);
    }
    const url = redis.url.replace('://', '://default:hunter2@');
    const { said } = await runKeys(['verify'], { ...environment, REDIS_URL: url });
    expect(said).toContain('store: redis://***@');
    expect(said).not.toContain('hunter2');
  });

  it('verify fails and names what no key decrypts, and changes nothing', async () => {
    const { file, id } = await newKeyFile();
    const DATA_DIR = folder();
    const instance = await started({ DATA_DIR, DATA_KEYS_FILE: file });
    const sessionId = await talk(instance);
    await instance.stop();
    const { file: another } = await newKeyFile();
    const lost = await runKeys(['verify'], { DATA_DIR, DATA_KEYS_FILE: another });
    expect(lost.code).toBe(1);
    expect(lost.said).toContain(`of ${sessionId} cannot be opened: key-unknown`);
    expect(lost.said).toContain(`${id}, which is not among the keys, seals`);
    expect(await runKeys(['verify'], { DATA_DIR, DATA_KEYS_FILE: file })).toMatchObject({
      code: 0,
      summary: { unopened: 0 },
    });
  });

  it('keys are verified and retired while an instance serves and writes an embedded store', async () => {
    const { file, id } = await newKeyFile();
    const environment = { DATA_DIR: folder(), DATA_KEYS_FILE: file };
    const instance = await started(environment);
    const [old, living] = [await talk(instance), await talk(instance)];
    const first = await runKeys(['verify'], environment);
    expect(first).toMatchObject({ code: 0, summary: { keys: { [id]: { archive: 0 } }, unopened: 0 } });
    const young = await rotated(file);
    ageKeyFile(file);
    instance.kill('SIGHUP');
    await reloaded(instance);
    expect((await runKeys(['retire', file, id], environment)).said).toMatch(/still seals [1-9]/);
    let isVerified = false;
    const busy = (async () => {
      for (let sessionId = living; !isVerified; sessionId = await talk(instance))
        await end(instance, sessionId);
    })();
    await end(instance, old);
    await eventually(
      'the end of the sessions that the former key seals',
      () => runKeys(['retire', file, id], environment),
      ({ code }) => code === 0,
    );
    const last = await runKeys(['verify'], environment);
    isVerified = true;
    await busy;
    expect(last).toMatchObject({ code: 0, summary: { unopened: 0 } });
    expect(Object.keys(Object(last.summary.keys))).toEqual([young]);
    expect(
      instance.logs.filter((line) => /"level":(40|50)/.test(line) && !line.includes('SIMULATOR')),
    ).toEqual([]);
  });

  it('verify says from when on plain text may be refused, and from then on DATA_PLAIN=refuse loses nothing', async () => {
    const { file } = await newKeyFile();
    const DATA_DIR = folder();
    const keyless = await started({ DATA_DIR });
    const living = await talk(keyless);
    await end(keyless, await talk(keyless));
    await keyless.stop();

    const sealing = { DATA_DIR, DATA_KEYS_FILE: file };
    const strict = { ...sealing, DATA_PLAIN: 'refuse' };
    const early = await runKeys(['verify'], sealing);
    expect(early).toMatchObject({ code: 0, summary: { keys: {}, unopened: 0 } });
    expect(early.said).toMatch(/stored without a key: [1-9]\d* texts in the store, [1-9]\d* in the archive/);
    const tooStrict = await runKeys(['verify'], strict);
    expect(tooStrict.code).toBe(1);
    expect(tooStrict.said).toContain('cannot be opened: not-sealed');
    const refusing = await started(strict);
    expect((await fetch(`${refusing.http}/api/session/${living}`)).status).toBe(503);
    await refusing.stop();

    const archive = await openArchive({ databaseUrl: null, dataDir: DATA_DIR });
    await archive.retire(Date.now() + 1);
    await archive.close();
    const reading = await started(sealing);
    await end(reading, living);
    await reading.stop();
    const late = await runKeys(['verify'], sealing);
    expect(late).toMatchObject({ code: 0, summary: { plain: { store: 0, archive: 0 }, unopened: 0 } });
    expect(late.said).toContain('DATA_PLAIN=refuse can be set');
    expect(await runKeys(['verify'], strict)).toMatchObject({ code: 0, summary: { unopened: 0 } });
    const instance = await started(strict);
    await talk(instance, await talk(instance));
    expect((await fetch(`${instance.http}/api/archive/${living}`)).status).toBe(200);
  });
});
