import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../../src/config/config.ts';
import { helpText } from '../../../src/config/help.ts';
import { environmentSchema, simulatorSchema } from '../../../src/config/settings.ts';
import { isBlocked } from '../../../src/config/values.ts';
import { readVariables } from '../../../src/config/variables.ts';
import { callOf } from '../../../src/startup/arguments.ts';
import { keyLine } from '../../support/keys.ts';
import { environments } from './environments.ts';

type Variables = Readonly<Record<string, string>>;

function refusal(environment: Variables): readonly string[] {
  try {
    readConfig(environment);
  } catch (error) {
    return error instanceof Error ? error.message.split('\n').slice(1) : [];
  }
  return [];
}

describe('a value that cannot be used', () => {
  it.each([
    ['SESSION_IDLE_MS', '1h', 'SESSION_IDLE_MS=1h is not a number of milliseconds; 3600000 is'],
    ['DRAIN_MS', '8s', 'DRAIN_MS=8s is not a number of milliseconds; 8000 is'],
    ['LEASE_MS', '1.5', 'LEASE_MS=1.5 is not a whole number of milliseconds'],
    ['LEASE_MS', '3 000', 'LEASE_MS="3 000" is not a number of milliseconds; 3000 is'],
    ['ARCHIVE_RETENTION_DAYS', '2d', 'ARCHIVE_RETENTION_DAYS=2d is not a number of days; 2 is'],
    ['QUEUE_MAX', 'many', 'QUEUE_MAX=many is not a number'],
    ['PORT', '70000', 'PORT=70000 is above 65535'],
    ['LEASE_MS', '0', 'LEASE_MS=0 is below 1'],
    [
      'GENERATION_TOTAL_MS',
      '999999999999999',
      'GENERATION_TOTAL_MS=999999999999999 is above 315360000000, which is 10 years',
    ],
    [
      'LOG_LEVEL',
      'INFO',
      'LOG_LEVEL=INFO is none of trace, debug, info, warn, error, fatal, silent; info is',
    ],
    ['REDIS_ALLOW_EVICTION', 'yes', 'REDIS_ALLOW_EVICTION=yes is none of 0, 1, true, false'],
    ['REDIS_URL', 'localhost:6379', 'REDIS_URL=localhost:6379 is not a Redis URL'],
    ['DATABASE_URL', 'mysql://db/x', 'DATABASE_URL=mysql://db/x is not a PostgreSQL URL'],
    ['STORE_ROLLOUT_URL', 'sqlite:', 'STORE_ROLLOUT_URL=sqlite: is neither'],
    ['VLLM_BASE_URL', 'gpu:8000/v1', 'VLLM_BASE_URL=gpu:8000/v1 is not the URL of a model server'],
    ['VLLM_BASE_URL', 'http://a/v1?x=1', 'VLLM_BASE_URL=http://a/v1?… continues after its path'],
    [
      'VLLM_BASE_URL',
      'http://a:6000/v1',
      'VLLM_BASE_URL=http://a:6000/v1 names port 6000, to which HTTP clients',
    ],
    [
      'VLLM_BASE_URL',
      'http://a/v1, http://b:9',
      'VLLM_BASE_URL="http://a/v1, http://b:9" names port 9, to which',
    ],
    ['STORE_ROLLOUT', '120', 'STORE_ROLLOUT=120 is above 100'],
    ['WORKERS', 'all', 'WORKERS=all is neither a whole number nor auto'],
    ['WORKERS', '0', 'WORKERS=0 is below 1'],
    ['WORKERS', '1000', 'WORKERS=1000 is above 256'],
  ])('%s=%s is refused with the reason and a value that works', (name, value, line) => {
    const lines = refusal({ [name]: value });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(new RegExp(`^${line.replaceAll(/[?.*+()]/g, '\\$&')}`));
  });

  it('one start names all variables that cannot be used', () => {
    const lines = refusal({ PORT: 'x', LEASE_MS: '1m', DATA_KEYS: 'bad', REDIS_URL: 'x', LOG_LEVEL: 'loud' });
    expect(lines.map((line) => line.split(/[= ]/)[0]).sort()).toEqual([
      'DATA_KEYS',
      'LEASE_MS',
      'LOG_LEVEL',
      'PORT',
      'REDIS_URL',
    ]);
  });

  it.each([
    ['DATA_KEYS', 'k1:hunter2'],
    ['REDIS_URL', 'http://user:hunter2@redis:6379'],
    ['REDIS_URL', 'user:hunter2@redis:6379'],
    ['REDIS_URL', 'http://redis:6379?password=hunter2'],
    ['DATABASE_URL', 'host=db password=hunter2'],
    ['DATABASE_URL', 'mysql://user:hunter2/with@slash@db/x'],
    ['STORE_ROLLOUT_URL', 'rediss+clusters://:hunter2@a,b'],
    ['VLLM_BASE_URL', 'http://user:hunter2@vllm/v1'],
    ['VLLM_BASE_URL', 'http://a/v1,http://user:hunter2@b'],
    ['VLLM_BASE_URL', 'http://a/v1?api_key=hunter2'],
  ])('%s=%s is refused without printing its secret', (name, value) => {
    const lines = refusal({ [name]: value });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(name);
    expect(lines[0]).not.toMatch(/hunter2|slash/);
  });

  it('a long value with line breaks is refused in one short line', () => {
    const [line = '', ...others] = refusal({ LOG_LEVEL: `a\n${'b'.repeat(5_000)}` });
    expect(others).toEqual([]);
    expect(line.length).toBeLessThan(300);
  });
});

describe('values that contradict each other', () => {
  const keys = keyLine('k1');
  it.each<[string, Variables]>([
    ['idle above absolute', { SESSION_IDLE_MS: '20000000' }],
    ['idle above absolute', { SESSION_IDLE_MS: '9000', SESSION_ABSOLUTE_MS: '8000' }],
    ['warning above idle', { SESSION_IDLE_MS: '1000', SESSION_WARN_MS: '2000' }],
    ['first token above total', { GENERATION_FIRST_TOKEN_MS: '600000' }],
    ['silence above total', { GENERATION_INTER_TOKEN_MS: '5000', GENERATION_TOTAL_MS: '4000' }],
    ['a roll-out to nowhere', { STORE_ROLLOUT: '10' }],
    ['a roll-out to the same Redis', { REDIS_URL: 'redis://a', STORE_ROLLOUT_URL: 'redis://a' }],
    ['a roll-out to the same folder', { DATA_DIR: '/d', STORE_ROLLOUT_URL: 'sqlite:/d' }],
    ['two sources of keys', { DATA_KEYS: keys, DATA_KEYS_FILE: keyFile(keys) }],
    ['plain values refused without a key', { DATA_PLAIN: 'refuse' }],
  ])('settings that contradict each other are refused: %s', (_, environment) => {
    const lines = refusal(environment);
    expect(lines).toHaveLength(1);
    for (const name of Object.keys(environment)) expect(`${lines[0]} ${name}`).toContain(name);
  });

  it.each<[string, Variables]>([
    ['a short absolute end', { SESSION_ABSOLUTE_MS: '4000' }],
    ['a short idle time', { SESSION_IDLE_MS: '1000' }],
    ['a short limit on an answer', { GENERATION_TOTAL_MS: '1000' }],
    ['equal limits', { SESSION_IDLE_MS: '8000', SESSION_ABSOLUTE_MS: '8000', SESSION_WARN_MS: '8000' }],
    ['a roll-out that is prepared', { STORE_ROLLOUT_URL: 'redis+cluster://u:p@a:1,b:2', STORE_ROLLOUT: '0' }],
  ])('settings may exceed a default: %s', (_, environment) => {
    expect(refusal(environment)).toEqual([]);
  });
});

describe('values that are probably a mistake', () => {
  const warned = (environment: Variables) => readConfig(environment).warnings;

  it.each([
    ['REDIS_URI', 'REDIS_URL'],
    ['VLLM_URL', 'VLLM_BASE_URL'],
    ['VLLM_BASE_URLS', 'VLLM_BASE_URL'],
    ['SESION_IDLE_MS', 'SESSION_IDLE_MS'],
    ['SESSION_IDEL_MS', 'SESSION_IDLE_MS'],
    ['SESSION_IDLE', 'SESSION_IDLE_MS'],
    ['SESSION_IDLE_SECONDS', 'SESSION_IDLE_MS'],
    ['SESSION_MAX', 'SESSIONS_MAX'],
    ['GENERATION_TOKEN_MS', 'GENERATION_FIRST_TOKEN_MS'],
    ['DATABASE_URI', 'DATABASE_URL'],
    ['SYSTEM_PROMPT', 'SYSTEM_PROMPT_FILE'],
    ['REHYDRA_PORT', 'PORT'],
    ['redis_url', 'REDIS_URL'],
    ['SIMULATOR_MODEL_LEN', 'SIMULATOR_MAX_MODEL_LEN'],
  ])('%s draws a warning that names %s', (name, meant) => {
    expect(warned({ [name]: '1' })).toEqual([
      `${name} is not a variable of this program and is ignored; ${meant} is one`,
    ]);
  });

  it.each(Object.entries(environments))(
    'no variable of %s is mistaken for a misspelt setting',
    (_, environment) => {
      expect(warned(environment)).toEqual([]);
    },
  );

  it('a model server URL that does not end in /v1 draws a warning, and keeps its path', () => {
    const { warnings, generation } = readConfig({ VLLM_BASE_URL: 'http://a:8000, http://b:8000/v1/' });
    expect(warnings).toEqual([
      'VLLM_BASE_URL=http://a:8000 does not end in /v1, as the base URL of a model server does',
    ]);
    expect(generation.baseUrls).toEqual(['http://a:8000', 'http://b:8000/v1/']);
  });

  it('a setting that has no effect without another one draws a warning', () => {
    expect(warned({ VLLM_API_KEY: 'hunter2' })).toEqual([
      'VLLM_API_KEY has no effect while VLLM_BASE_URL is not set',
    ]);
    expect(warned({ TRUST_PROXY_HEADER: 'forwarded' })).toHaveLength(1);
    expect(warned({ VLLM_API_KEY: 'k', VLLM_BASE_URL: 'http://a/v1' })).toEqual([]);
  });
});

describe('reading variables', () => {
  it('white space around a value, as env files and secrets leave it, is dropped', () => {
    const { host, generation } = readConfig({
      HOST: ' ::1\r',
      VLLM_API_KEY: 'key\n',
      VLLM_BASE_URL: 'http://a/v1',
    });
    expect([host, generation.apiKey]).toEqual(['::1', 'key']);
  });

  it('every duration may be 30 days', () => {
    const names = Object.keys(environmentSchema.shape).filter((name) => name.endsWith('_MS'));
    const month = Object.fromEntries(names.map((name) => [name, String(30 * 86_400_000)]));
    expect(refusal(month)).toEqual([]);
    expect(readConfig(month).generation.totalMs).toBe(30 * 86_400_000);
  });

  it('the simulator has defaults, and names each variable that it cannot use', () => {
    const read = readVariables(simulatorSchema, {});
    expect(read).toMatchObject({ kind: 'values', values: { SIMULATOR_PORT: 8000, SIMULATOR_TOKENS: 64 } });
    expect(readVariables(simulatorSchema, { SIMULATOR_PORT: 'x', SIMULATOR_TOKENS: '-1' })).toEqual({
      kind: 'problems',
      problems: ['SIMULATOR_PORT=x is not a number', 'SIMULATOR_TOKENS=-1 is below 0'],
    });
  });
});

describe('the arguments of a program', () => {
  const call = (...args: readonly string[]) => callOf(args, 'npm start', () => 'help');
  it('a program takes --help and --version', () => {
    expect(call()).toEqual({ kind: 'run' });
    for (const flag of ['--help', '-h']) expect(call(flag)).toEqual({ kind: 'print', text: 'help' });
    for (const flag of ['--version', '-v'])
      expect(call(flag)).toMatchObject({
        kind: 'print',
        text: expect.stringMatching(/^rehydra \d+\.\d+\.\d+/),
      });
  });

  it('a program refuses other arguments, and names --help', () => {
    for (const args of [['--port', '80'], ['serve'], ['--port=80']])
      expect(call(...args)).toMatchObject({
        kind: 'wrong',
        text: expect.stringContaining('npm start -- --help'),
      });
  });

  it('--help lists every variable with its default', () => {
    const text = helpText('npm start', 'purpose', environmentSchema);
    for (const name of Object.keys(environmentSchema.shape)) expect(text).toContain(`\n  ${name}`);
    expect(text).toContain('\n  SESSION_IDLE_MS=3600000\n');
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(110);
  });
});

function keyFile(keys: string): string {
  const path = join(tmpdir(), `rehydra-keys-${process.pid}`);
  writeFileSync(path, keys);
  return path;
}

describe('a port that no model server can have', () => {
  it('VLLM_BASE_URL may name any port except those that fetch refuses', () => {
    const { badPorts } = createRequire(import.meta.url)('undici/lib/web/fetch/constants.js') as {
      readonly badPorts: readonly string[];
    };
    const blocked = Array.from({ length: 65_535 }, (_, index) => String(index + 1)).filter((port) =>
      isBlocked(new URL(`http://a:${port}/v1`)),
    );
    expect(blocked).toEqual(badPorts);
  });
});
