/** The program that makes API keys, and a running instance that reads their file. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { openApiKeys } from '../../src/identity/api-keys/api-keys.ts';
import { openLog } from '../../src/telemetry/log.ts';
import { newIdentities } from '../support/instance/identities.ts';
import { runToEnd, startInstance } from '../support/instance/instance.ts';

const folder = mkdtempSync(join(tmpdir(), 'rehydra-api-key-'));
afterAll(() => rmSync(folder, { recursive: true }));
const WAIT = { timeout: 30_000, interval: 50 };

const run = (...args: readonly string[]) => runToEnd('api-key.js', {}, args);

it('a new API key is printed once, proves its role, and ends when it is withdrawn', async () => {
  const file = join(folder, 'keys.json');
  const made = await run('new', file, 'billing', 'service', '--tenant', 'acme', '--expires', '90d');
  const key = made.stdout.trim();
  expect(made.code).toBe(0);
  expect(key).toMatch(/^rk_billing_[\w-]{43}$/);
  expect(readFileSync(file, 'utf8')).not.toContain(key);
  const keys = openApiKeys(file, openLog('silent', 'keys'));
  const shown = keys.authenticate(key, Date.now());
  expect(shown).toMatchObject({ caller: { subject: 'billing', role: 'service', tenant: 'acme' } });

  const listed = await run('list', file);
  expect(listed.stdout).toMatch(/^billing\tservice\tacme\tall of its role\t\d{4}-\d\d-\d\dT\S+Z\n$/);
  expect(listed.stdout).not.toContain(key);

  expect(await run('withdraw', file, 'billing')).toMatchObject({ code: 0, stdout: '' });
  keys.reload();
  expect(keys.authenticate(key, Date.now())).toMatchObject({ kind: 'refused' });
  keys.close();
});

it('an API key that could not be used is not written', async () => {
  const file = join(folder, 'refused.json');
  const refused = await Promise.all([
    run('new', file, 'a_b', 'service'),
    run('new', file, 'a', 'root'),
    run('new', file, 'a', 'user', '--tenant', 'a/b'),
    run('withdraw', file, 'a'),
  ]);
  for (const { code, stdout, stderr } of refused) {
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr.trim().split('\n')).toHaveLength(1);
  }
  expect(existsSync(file)).toBe(false);
});

it('a wrong call of the API key program prints how to call it', async () => {
  const calls = [
    [],
    ['new'],
    ['new', 'f', 'n'],
    ['list', 'f', 'n'],
    ['new', 'f', 'n', 'user', '--expires', 'soon'],
    ['x', 'f'],
  ];
  for (const { code, stderr } of await Promise.all(calls.map((args) => run(...args)))) {
    expect(code).toBe(2);
    expect(stderr).toContain('usage: npm run --silent api-key');
  }
  expect(await run('--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('usage: ') });
});

it('an instance reads its API keys again on SIGHUP and without a signal, and keeps them if the file breaks', async () => {
  const identities = newIdentities();
  const instance = await startInstance(identities.environment);
  const times = (words: string) => instance.logs.filter((line) => line.includes(words)).length;
  instance.kill('SIGHUP');
  await vi.waitFor(() => expect(times('AUTH_KEYS_FILE was read again')).toBe(1), WAIT);
  expect(times('AUTH_JWT_KEY_FILE was read again')).toBe(1);
  identities.apiKey('late', 'service');
  await vi.waitFor(() => expect(times('AUTH_KEYS_FILE was read again')).toBe(2), WAIT);
  writeFileSync(identities.environment.AUTH_KEYS_FILE!, 'broken');
  await vi.waitFor(() => expect(times('the former keys stay in force')).toBe(1), WAIT);
  expect((await fetch(`${instance.http}/healthz`)).status).toBe(200);
  expect(await instance.stop()).toBe(0);
  identities.close();
});

it('an instance starts while the issuer of its tokens is away, and says so', async () => {
  const identities = newIdentities();
  const { AUTH_JWT_KEY_FILE: _, AUTH_KEYS_FILE: __, ...jwt } = identities.environment;
  const instance = await startInstance({ ...jwt, AUTH: 'jwt', AUTH_JWT_JWKS_URL: 'http://127.0.0.1:1/keys' });
  expect(instance.logs.filter((line) => line.includes('keys of the issuer cannot be fetched'))).toHaveLength(
    1,
  );
  expect(await instance.stop()).toBe(0);
  identities.close();
});
