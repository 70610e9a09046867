/**
 * Every documented environment variable reaches the configuration, and a running service reads every part of the
 * configuration. A documented variable without effect fails here.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Config, readConfig } from '../../src/config/config.ts';
import { environmentSchema } from '../../src/config/settings.ts';
import { startService } from '../../src/service.ts';
import { openLog } from '../../src/telemetry/log.ts';
import { TestClient } from '../support/instance/client.ts';

const folder = mkdtempSync(join(tmpdir(), 'rehydra-settings-'));
afterAll(() => rmSync(folder, { recursive: true }));

const KEY = `k1:${Buffer.alloc(32, 1).toString('base64')}`;
const keysFile = join(folder, 'keys');
writeFileSync(keysFile, KEY);
const auditKeyFile = join(folder, 'audit-key');
writeFileSync(auditKeyFile, `${KEY.slice(3)}\n`);

const JWT = {
  AUTH: 'jwt',
  AUTH_JWT_ISSUER: 'https://issuer.example',
  AUTH_JWT_AUDIENCE: 'rehydra',
  AUTH_JWT_JWKS_URL: 'https://issuer.example/keys',
};
const { AUTH_JWT_JWKS_URL: _url, ...JWT_WITHOUT_KEYS } = JWT;
const PROXY = { AUTH: 'proxy', TRUST_PROXY: '10.0.0.0/8' };

/** For each variable a value that is not its default, after the variables that it depends on. */
const VALUES: Readonly<Record<string, string | readonly [Readonly<Record<string, string>>, string]>> = {
  HOST: [PROXY, '0.0.0.0'],
  PORT: '8081',
  TLS_CERT: [{ TLS_CERT: 'other.crt', TLS_KEY: 'a.key' }, 'a.crt'],
  TLS_KEY: [{ TLS_CERT: 'a.crt', TLS_KEY: 'other.key' }, 'a.key'],
  ADMIN_PORT: '8082',
  ADMIN_HOST: [{ ADMIN_PORT: '8082' }, '127.0.0.2'],
  WORKERS: [{ REDIS_URL: 'redis://127.0.0.1:1' }, '3'],
  REDIS_URL: 'redis://127.0.0.1:1',
  REDIS_ALLOW_EVICTION: '1',
  DATA_DIR: folder,
  DATABASE_URL: 'postgres://127.0.0.1:1/a',
  ARCHIVE_RETENTION_DAYS: '8',
  DATA_KEYS: KEY,
  DATA_KEYS_FILE: keysFile,
  DATA_PLAIN: [{ DATA_KEYS: KEY }, 'refuse'],
  STORE_ROLLOUT: [{ STORE_ROLLOUT_URL: 'redis://127.0.0.1:1' }, '5'],
  STORE_ROLLOUT_URL: 'redis://127.0.0.1:1',
  VLLM_BASE_URL: 'http://127.0.0.1:2/v1',
  VLLM_MODEL: 'm',
  VLLM_API_KEY: 'k',
  VLLM_EXTRA_BODY: '{"top_k":1}',
  VLLM_TRANSPORT: 'openai',
  INSTANCE_ID: 'two',
  SESSION_IDLE_MS: '3600001',
  SESSION_ABSOLUTE_MS: '14400001',
  SESSION_WARN_MS: '60001',
  SESSIONS_MAX: '7',
  SESSIONS_PER_USER_MAX: '7',
  ALLOWED_ORIGINS: 'https://app.example',
  ALLOWED_HOSTS: 'chat.example',
  SOCKETS_AWAITING_HELLO_MAX: '9',
  RATE_CONNECTIONS_PER_MINUTE: '7',
  RATE_REQUESTS_PER_MINUTE: '7',
  RATE_MESSAGES_PER_MINUTE: '7',
  RATE_GUESSES_PER_MINUTE: '7',
  RATE_FAILED_CREDENTIALS_PER_MINUTE: '7',
  TURNS_PER_USER_MAX: '7',
  TURNS_PER_TENANT_MAX: '7',
  TOKENS_PER_USER_PER_DAY: '700',
  TOKENS_PER_TENANT_PER_DAY: '700',
  TRUST_PROXY: '1',
  TRUST_PROXY_HEADER: 'forwarded',
  AUTH: [{ TRUST_PROXY: '1' }, 'proxy'],
  AUTH_JWT_ISSUER: [JWT, 'https://another.example'],
  AUTH_JWT_AUDIENCE: [JWT, 'another'],
  AUTH_JWT_ALGORITHMS: [JWT, 'PS256'],
  AUTH_JWT_JWKS_URL: [JWT, 'https://another.example/keys'],
  AUTH_JWT_KEY_FILE: [{ ...JWT_WITHOUT_KEYS, AUTH_JWT_KEY_FILE: join(folder, 'one.pem') }, keysFile],
  AUTH_JWT_ROLE_CLAIM: [JWT, 'part'],
  AUTH_JWT_TENANT_CLAIM: [JWT, 'org'],
  AUTH_KEYS_FILE: [{ AUTH: 'keys', AUTH_KEYS_FILE: join(folder, 'one.json') }, keysFile],
  AUTH_DISABLED_FILE: [PROXY, keysFile],
  AUTH_PROXY_USER_HEADER: [PROXY, 'x-user'],
  AUTH_PROXY_ROLE_HEADER: [PROXY, 'x-role'],
  AUTH_PROXY_TENANT_HEADER: [PROXY, 'x-tenant'],
  OVERLAP_POLICY: 'reject',
  QUEUE_MAX: '7',
  FRAME_LOG_MAX: '7',
  HISTORY_MAX: '7',
  LEASE_MS: '3001',
  HIBERNATE_MS: '5001',
  GENERATION_FIRST_TOKEN_MS: '60001',
  GENERATION_INTER_TOKEN_MS: '15001',
  GENERATION_TOTAL_MS: '300001',
  GENERATION_ATTEMPTS: '7',
  GENERATION_MAX_TOKENS: '7',
  CONTEXT_STRATEGY: 'window:7',
  HISTORY_MAX_TOKENS: '700',
  SYSTEM_PROMPT_FILE: keysFile,
  SIMULATOR_TOKENS: '7',
  SIMULATOR_TOKENS_PER_SECOND: '7',
  SIMULATOR_FIRST_TOKEN_MS: '7',
  FLUSH_MS: '7',
  DRAIN_MS: '7',
  AUDIT_LOG: join(folder, 'audit'),
  AUDIT_KEY: KEY.slice(3),
  AUDIT_KEY_FILE: auditKeyFile,
  AUDIT_STRICT: [{ AUDIT_LOG: 'stdout' }, '1'],
  LOG_LEVEL: 'debug',
};

/** Parts that the process reads before it starts the service, or after: src/main.ts, src/run.ts. */
const READ_BY_MAIN: readonly string[] = ['warnings', 'logLevel', 'workers'];

const configured = (environment: Readonly<Record<string, string>>): unknown => {
  const { warnings: _, ...config } = readConfig({ INSTANCE_ID: 'one', ...environment });
  return config;
};

/** A copy of the configuration that records which of its parts are read. */
function watched(config: Config): { readonly config: Config; readonly unread: () => readonly string[] } {
  const unread = new Set<string>();
  const watch = (value: unknown, path: string): unknown => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    const copy = Object.fromEntries(
      Object.entries(value).map(([key, part]) => {
        const at = path === '' ? key : `${path}.${key}`;
        unread.add(at);
        return [key, watch(part, at)];
      }),
    );
    return new Proxy(copy, {
      get(target, key) {
        unread.delete(path === '' ? String(key) : `${path}.${String(key)}`);
        return Reflect.get(target, key);
      },
    });
  };
  return { config: watch(config, '') as Config, unread: () => [...unread] };
}

describe('documented environment variables', () => {
  it('this test has a value for every documented environment variable and for no other', () => {
    expect(Object.keys(VALUES).toSorted()).toEqual(Object.keys(environmentSchema.shape).toSorted());
  });

  it.each(Object.keys(VALUES))('the environment variable %s changes the configuration', (name) => {
    const given = VALUES[name] ?? '';
    const [before, value] = typeof given === 'string' ? [{}, given] : given;
    expect(configured({ ...before, [name]: value })).not.toEqual(configured(before));
  });

  it('a service that serves a turn reads every part of the configuration', async () => {
    const environment = {
      PORT: '0',
      DATA_DIR: ':memory:',
      DRAIN_MS: '1000',
      SIMULATOR_TOKENS_PER_SECOND: '0',
    };
    const { config, unread } = watched(readConfig({ ...environment, DATA_KEYS: KEY, LOG_LEVEL: 'silent' }));
    const service = await startService(config, openLog('silent', 'settings'));
    const client = await TestClient.greet(`ws://127.0.0.1:${service.port}/v1/session`);
    client.message('m', 'chest pain');
    await client.completed('m');
    await client.close();
    await service.drain();
    expect(unread().filter((path) => !READ_BY_MAIN.includes(path))).toEqual([]);
  });
});
