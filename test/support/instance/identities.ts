/**
 * Identities is a folder with the public key of an issuer and a list of API keys, the settings of instances that believe
 * both, and the bearers that such instances accept.
 *
 *  IDENTITIES-1  Instances notice a withdrawn key without a signal, as in a deployment.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApiKeyEntry, hashOf, newSecret } from '../../../src/identity/api-keys/api-key.ts';
import { changeKeys } from '../../../src/identity/api-keys/key-list.ts';
import type { Role } from '../../../src/identity/caller.ts';
import { AUDIENCE, type Bearer, ISSUER, jwksOf, newKey, tokenFor } from '../issuer.ts';
import type { Environment } from './instance.ts';

export interface Identities {
  /** `AUTH=jwt,keys` and what belongs to it. */
  readonly environment: Environment;
  /** Keys of the issuer, one for each of two algorithms. */
  readonly keys: { readonly rsa: ReturnType<typeof newKey>; readonly ec: ReturnType<typeof newKey> };
  /** A token of the user, or of a caller with another role. */
  token(subject: string, bearer?: Bearer): Promise<string>;
  /** A new API key. */
  apiKey(name: string, role: Role, more?: Partial<Omit<ApiKeyEntry, 'name' | 'role' | 'hash'>>): string;
  withdraw(name: string): void;
  /** Replaces the list of disabled subjects. */
  disable(...subjects: readonly { readonly subject: string; readonly tenant?: string }[]): void;
  close(): void;
}

export function newIdentities(): Identities {
  const folder = mkdtempSync(join(tmpdir(), 'rehydra-identities-'));
  const [keySet, apiKeys, disabled] = ['jwks.json', 'keys.json', 'disabled.json'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  const keys = { rsa: newKey('RS256'), ec: newKey('ES256') };
  writeFileSync(keySet, jwksOf(keys.rsa, keys.ec));
  changeKeys(apiKeys, () => []);
  writeFileSync(disabled, '[]', { mode: 0o600 });
  return {
    environment: {
      AUTH: 'jwt,keys',
      AUTH_JWT_ISSUER: ISSUER,
      AUTH_JWT_AUDIENCE: AUDIENCE,
      AUTH_JWT_KEY_FILE: keySet,
      AUTH_JWT_TENANT_CLAIM: 'tenant',
      AUTH_KEYS_FILE: apiKeys,
      AUTH_DISABLED_FILE: disabled,
    },
    keys,
    token: (subject, bearer) => tokenFor(keys.ec, subject, bearer),
    apiKey(name, role, more = {}) {
      const key = newSecret(name);
      changeKeys(apiKeys, (known) => [...known, { name, role, hash: hashOf(key), ...more }]);
      return key;
    },
    withdraw: (name) => changeKeys(apiKeys, (known) => known.filter((key) => key.name !== name)), // IDENTITIES-1
    disable: (...subjects) => writeFileSync(disabled, JSON.stringify(subjects)),
    close: () => rmSync(folder, { recursive: true }),
  };
}

/** The headers of an HTTP request that shows the bearer. */
export function showing(bearer: string): Readonly<Record<'authorization', string>> {
  return { authorization: `Bearer ${bearer}` };
}
