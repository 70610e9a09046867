import {
  appendFileSync,
  chmodSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { type ApiKeyEntry, hashOf, newSecret } from '../../../src/identity/api-keys/api-key.ts';
import { type ApiKeys, openApiKeys } from '../../../src/identity/api-keys/api-keys.ts';
import { changeKeys, readKeys } from '../../../src/identity/api-keys/key-list.ts';
import type { Identity } from '../../../src/identity/caller.ts';
import { reasonOf } from '../../../src/startup/start-failure.ts';
import { openLog } from '../../../src/telemetry/log.ts';

const folder = mkdtempSync(join(tmpdir(), 'rehydra-api-keys-'));
afterAll(() => rmSync(folder, { recursive: true }));

const log = openLog('silent', 'keys');
const NOW = Date.parse('2026-11-29T00:00:00Z');
let files = 0;

/** A file with one key, and what reads it. A long look interval: only `reload` reads again. */
function world(more: Partial<ApiKeyEntry> = {}, lookEveryMs = 3_600_000) {
  const path = join(folder, `${++files}.json`);
  const key = newSecret('backend');
  const entry: ApiKeyEntry = { name: 'backend', role: 'service', hash: hashOf(key), ...more };
  changeKeys(path, () => [entry]);
  const keys = openApiKeys(path, log, lookEveryMs);
  return { path, key, entry, keys };
}

function identityOf(keys: ApiKeys, key: string, now = NOW): Identity {
  const shown = keys.authenticate(key, now);
  if (shown.kind !== 'accepted' || shown.caller.kind !== 'identified') throw new Error('not identified');
  return shown.caller;
}

const refusalOf = (start: () => unknown): string | null => {
  try {
    start();
    return null;
  } catch (error) {
    return reasonOf(error);
  }
};

it('an API key proves its name, role, tenant and rights', () => {
  const { keys, key } = world({ role: 'auditor', tenant: 'acme', rights: ['GET /api/analytics'] });
  expect(identityOf(keys, key)).toMatchObject({
    role: 'auditor',
    subject: 'backend',
    tenant: 'acme',
    expiresAt: null,
    rights: new Set(['GET /api/analytics']),
    proof: 'key',
  });
  keys.close();
});

it('an API key with a wrong secret, another name or another form is refused', () => {
  const { keys, key } = world();
  const wrong = [
    newSecret('backend'),
    newSecret('other'),
    key.slice(0, -1),
    `${key}x`,
    'rk_',
    'rk__',
    'rk_backend',
    '',
  ];
  for (const one of wrong) expect(keys.authenticate(one, NOW)).toMatchObject({ kind: 'refused' });
  keys.close();
});

it('the file of API keys holds no key, and its owner alone can read it', () => {
  const { path, key, keys } = world();
  expect(readFileSync(path, 'utf8')).not.toContain(key.slice('rk_backend_'.length));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  keys.close();
});

it('the credential that the audit log names reveals neither the key nor its hash', () => {
  const { keys, key, entry } = world();
  const { credential } = identityOf(keys, key);
  const version = credential.replace('backend#', '');
  expect(version).toMatch(/^[0-9a-f]{12}$/);
  expect(key).not.toContain(version);
  expect(entry.hash).not.toContain(version);
  keys.close();
});

it('an API key counts until the moment of its end', () => {
  const { keys, key } = world({ expires_at: '2026-11-29T01:00:00Z' });
  const end = Date.parse('2026-11-29T01:00:00Z');
  expect(identityOf(keys, key, end - 1).expiresAt).toBe(end);
  expect(keys.authenticate(key, end)).toMatchObject({ kind: 'refused' });
  keys.close();
});

it('a withdrawn API key is refused after a reload, and its identity holds no longer', () => {
  const { path, keys, key } = world();
  const identity = identityOf(keys, key);
  expect(keys.holds(identity)).toBe(true);
  changeKeys(path, () => []);
  expect(keys.holds(identity)).toBe(true);
  keys.reload();
  expect(keys.holds(identity)).toBe(false);
  expect(keys.authenticate(key, NOW)).toMatchObject({ kind: 'refused' });
  keys.close();
});

it.each<Partial<ApiKeyEntry>>([
  { role: 'admin' },
  { tenant: 'acme' },
  { rights: ['hello'] },
  { expires_at: '2027-01-01T00:00:00Z' },
  { hash: hashOf(newSecret('backend')) },
])('an identity ends when its API key is changed: %o', (change) => {
  const { path, keys, key } = world();
  const identity = identityOf(keys, key);
  changeKeys(path, (known) => known.map((one) => ({ ...one, ...change })));
  keys.reload();
  expect(keys.holds(identity)).toBe(false);
  keys.close();
});

it('an identity holds when another API key is added', () => {
  const { path, keys, key } = world();
  const identity = identityOf(keys, key);
  changeKeys(path, (known) => [
    ...known,
    { name: 'second', role: 'user', hash: hashOf(newSecret('second')) },
  ]);
  keys.reload();
  expect(keys.holds(identity)).toBe(true);
  keys.close();
});

it('a withdrawn API key stops counting without a signal', async () => {
  const { path, keys, key } = world({}, 20);
  const identity = identityOf(keys, key);
  changeKeys(path, () => []);
  await vi.waitFor(() => expect(keys.holds(identity)).toBe(false), { timeout: 10_000 });
  keys.close();
});

it.each(['{', '{}', '[{"name":"x"}]', '[1]', 'null', ''])(
  'a broken file of API keys changes nothing, and refuses a start: %s',
  (text) => {
    const { path, keys, key } = world();
    const identity = identityOf(keys, key);
    writeFileSync(path, text);
    keys.reload();
    expect(keys.holds(identity)).toBe(true);
    expect(identityOf(keys, key)).toEqual(identity);
    expect(refusalOf(() => openApiKeys(path, log))).toContain(`AUTH_KEYS_FILE=${path} is no`);
    keys.close();
  },
);

it('a file of API keys that vanishes changes nothing, and the keys count again once it is back', () => {
  const { path, keys, key, entry } = world();
  rmSync(path);
  keys.reload();
  expect(identityOf(keys, key).subject).toBe('backend');
  changeKeys(path, () => [{ ...entry, role: 'admin' }]);
  keys.reload();
  expect(identityOf(keys, key).role).toBe('admin');
  keys.close();
});

it('the log says once why a file of API keys cannot be used, and quotes nothing of it', () => {
  const { path, entry } = world();
  const errors: unknown[][] = [];
  const watched = Object.assign(Object.create(log), { error: (...said: unknown[]) => errors.push(said) });
  const keys = openApiKeys(path, watched, 3_600_000);
  appendFileSync(path, 'junk');
  keys.reload();
  keys.reload();
  expect(errors).toHaveLength(1);
  expect(JSON.stringify(errors)).not.toContain(entry.hash);
  keys.close();
});

it('the log warns of a file of API keys that every user of the machine can read', () => {
  const { path, keys: first } = world();
  first.close();
  const warnings: unknown[][] = [];
  const watched = Object.assign(Object.create(log), { warn: (...said: unknown[]) => warnings.push(said) });
  openApiKeys(path, watched).close();
  expect(warnings).toEqual([]);
  chmodSync(path, 0o644);
  openApiKeys(path, watched).close();
  expect(warnings).toEqual([[{ path }, expect.stringContaining('chmod 600')]]);
});

it.each<Partial<ApiKeyEntry>>([
  { role: 'auditor', rights: ['GET /api/analytic'] },
  { role: 'service', rights: ['message'] },
  { role: 'service', rights: ['GET /api/analytics'] },
  { rights: [] },
])('a right that an API key could never use refuses the file: %o', (change) => {
  const { path, entry, keys } = world();
  writeFileSync(path, JSON.stringify([{ ...entry, ...change }]));
  expect(refusalOf(() => openApiKeys(path, log))).toContain('rights');
  keys.close();
});

it('two API keys of one name refuse the file', () => {
  const { path, entry, keys } = world();
  writeFileSync(path, JSON.stringify([entry, entry]));
  expect(refusalOf(() => openApiKeys(path, log))).toContain('has two keys with the name backend');
  keys.close();
});

it('a second change of the API keys at the same time is refused, and neither change is lost', () => {
  const { path, entry, keys } = world();
  changeKeys(path, (known) => {
    expect(refusalOf(() => changeKeys(path, () => []))).toContain('another call is changing the keys');
    return [...known, { ...entry, name: 'second' }];
  });
  expect(readKeys(path).map(({ name }) => name)).toEqual(['backend', 'second']);
  changeKeys(path, (known) => known);
  keys.close();
});
