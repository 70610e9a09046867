import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { readConfig } from '../../../src/config/config.ts';
import { openDisabled } from '../../../src/identity/disabled.ts';
import { openAuthenticator } from '../../../src/identity/open-authenticator.ts';
import { openLog } from '../../../src/telemetry/log.ts';
import { newIdentities } from '../../support/instance/identities.ts';

const folder = mkdtempSync(join(tmpdir(), 'rehydra-key-file-'));
const identities = newIdentities();
afterAll(() => {
  rmSync(folder, { recursive: true });
  identities.close();
});

function watched() {
  const said: string[] = [];
  const note = (_: unknown, message: string) => said.push(message);
  const log = openLog('silent', 'key-file');
  return { said, log: Object.assign(Object.create(log), { error: note, warn: note }) };
}

it('a list of disabled users that breaks is reported as a list of users, not of keys', () => {
  const path = join(folder, 'disabled.json');
  writeFileSync(path, '[{"subject":"mallory"}]');
  const { said, log } = watched();
  const disabled = openDisabled(path, log, 3_600_000);
  writeFileSync(path, 'junk');
  disabled.reload();
  expect(disabled.has({ subject: 'mallory', tenant: '' })).toBe(true);
  expect(said).toEqual(['AUTH_DISABLED_FILE cannot be used; the users of the former list stay disabled']);
  disabled.close();
});

it('every user of the machine may read the public keys of tokens and the list of disabled users without a warning', async () => {
  const { AUTH_JWT_KEY_FILE = '' } = identities.environment;
  chmodSync(AUTH_JWT_KEY_FILE, 0o644);
  const AUTH_DISABLED_FILE = join(folder, 'none.json');
  writeFileSync(AUTH_DISABLED_FILE, '[]', { mode: 0o644 });
  const { said, log } = watched();
  const environment = { ...identities.environment, AUTH: 'jwt', AUTH_DISABLED_FILE };
  const authenticator = await openAuthenticator(readConfig(environment).identity, log, systemClock);
  expect(said).toEqual([]);
  authenticator.close();
});
