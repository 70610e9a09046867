/** A start tells the operator the address on which the server listens, or in one line why it failed. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { newIdentities } from '../support/instance/identities.ts';
import { type Environment, runToEnd, startInstance } from '../support/instance/instance.ts';
import { freePort } from '../support/instance/processes.ts';
import { startRedis } from '../support/instance/redis-server.ts';

const start = (environment: Environment) =>
  runToEnd('main.js', { PORT: '0', DATA_DIR: ':memory:', ...environment });

/** An address that is not loopback needs a way to prove identities. */
const PROVEN = { AUTH: 'proxy', TRUST_PROXY: '127.0.0.1' };

/** The one line for a person, and the one for machines. */
async function refusal(environment: Environment): Promise<string> {
  const { code, stdout, stderr } = await start(environment);
  expect(code).toBe(1);
  expect(stdout).not.toContain('"msg":"listening"');
  expect(stdout.split('\n').filter((line) => line.includes('"level":50'))).toHaveLength(1);
  expect(`${stdout}${stderr}`).not.toMatch(/^\s+at |node:internal|file:\/\//m);
  return stderr;
}

describe('refused start', () => {
  it('a refused start names every invalid value, one line each', async () => {
    const said = await refusal({
      PORT: 'x',
      SESSION_IDLE_MS: '1h',
      REDIS_URL: 'http://u:hunter2@h',
      LOG_LEVEL: 'loud',
    });
    expect(said.trim().split('\n').slice(1)).toEqual([
      'PORT=x is not a number',
      'REDIS_URL=http://***@h is not a Redis URL, such as redis://127.0.0.1:6379',
      'SESSION_IDLE_MS=1h is not a number of milliseconds; 3600000 is',
      expect.stringMatching(/^LOG_LEVEL=loud is none of /),
    ]);
  });

  it('a start on an address that others can reach is refused without AUTH, in one line that says what to set', async () => {
    const said = await refusal({ HOST: '0.0.0.0' });
    expect(said.trim().split('\n').slice(1)).toEqual([
      'HOST=0.0.0.0 needs AUTH: set AUTH=jwt, AUTH=keys or AUTH=proxy (README, "Put it in front of users"), or HOST=127.0.0.1',
    ]);
  });

  it('a refused start gives its reason in one line, without a password', async () => {
    const redis = await startRedis();
    const url = new URL(redis.url);
    const operator = new Redis(redis.url);
    await operator.config('SET', 'requirepass', 'right');
    operator.disconnect();
    const cases: readonly (readonly [Environment, RegExp])[] = [
      [{ REDIS_URL: `redis://:hunter2@${url.host}` }, /redis store: .*WRONGPASS|invalid/i],
      [
        { DATA_DIR: '/dev/null/data' },
        /DATA_DIR \/dev\/null\/data cannot be used: \/dev\/null is not a folder/,
      ],
      [
        { DATA_DIR: '/dev/null/data', REDIS_URL: `redis://:right@${url.host}` },
        /DATA_DIR \/dev\/null\/data cannot be used: \/dev\/null is not a folder/,
      ],
      [{ AUDIT_LOG: '/dev/null/audit' }, /AUDIT_LOG=\/dev\/null\/audit cannot be written/],
      [
        { AUTH: 'keys', AUTH_KEYS_FILE: '/dev/null/keys' },
        /AUTH_KEYS_FILE=\/dev\/null\/keys cannot be read \(ENOTDIR\)/,
      ],
      [{ AUTH: 'keys', AUTH_KEYS_FILE: '/dev/null' }, /AUTH_KEYS_FILE=\/dev\/null is not JSON/],
      [{ CONTEXT_STRATEGY: 'magic' }, /strategy "magic" cannot be used/],
      [{ SYSTEM_PROMPT_FILE: '/dev/null/prompt' }, /system prompt \/dev\/null\/prompt cannot be used/],
    ];
    const told = await Promise.all(cases.map(([environment]) => refusal(environment)));
    for (const [index, said] of told.entries()) {
      expect(said).toMatch(cases[index]?.[1] ?? /^never$/);
      expect(said.trim().split('\n')).toHaveLength(1);
      expect(said).not.toContain('hunter2');
    }
    await redis.stop();
  });

  it('the server refuses an unknown argument, and answers --help and --version', async () => {
    const [help, version, unknown, simulator] = await Promise.all([
      runToEnd('main.js', {}, ['--help']),
      runToEnd('main.js', {}, ['--version']),
      runToEnd('main.js', {}, ['--port', '80']),
      runToEnd('simulator.js', { SIMULATOR_PORT: '70000' }),
    ]);
    expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining('SESSION_IDLE_MS=3600000') });
    expect(version).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^rehydra \d+\.\d+\.\d+ \(\S+\)\n$/),
    });
    expect(unknown).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining("'--port'") });
    expect(simulator).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('SIMULATOR_PORT=70000 is above 65535'),
    });
  });
});

describe('port of an instance', () => {
  it('a second instance on the same port is refused on every overlapping address', async () => {
    const port = String(await freePort());
    const first = await startInstance({ ...PROVEN, HOST: '::', PORT: port });
    const refused = await Promise.all(
      ['0.0.0.0', '::1'].map((HOST) => refusal({ ...PROVEN, HOST, PORT: port })),
    );
    for (const said of refused) {
      expect(said).toContain('the port is in use');
      expect(said.trim().split('\n')).toHaveLength(1);
    }
    const health = await fetch(`${first.http}/healthz`);
    expect(health.status).toBe(200);
    await first.stop();
  });

  it('an instance is refused a port on which another program listens', async () => {
    const port = await freePort();
    const other = createServer().listen(port, '127.0.0.1');
    await once(other, 'listening');
    expect(await refusal({ PORT: String(port) })).toContain('the port is in use');
    other.close();
  });

  it('the port of an instance is free as soon as the instance has stopped, even with clients connected', async () => {
    const port = String(await freePort());
    for (let round = 0; round < 2; round += 1) {
      const instance = await startInstance({ PORT: port });
      const socket = new WebSocket(instance.url, 'rehydra.v1');
      await once(socket, 'open');
      await fetch(`${instance.http}/healthz`);
      expect(await instance.stop()).toBe(0);
    }
  });
});

describe('unusable address', () => {
  it('a refused start names the address on which it cannot listen, with the reason', async () => {
    const [foreign, unknown] = await Promise.all([
      refusal({ ...PROVEN, HOST: '203.0.113.1' }),
      refusal({ ...PROVEN, HOST: 'no-such-host.invalid' }),
    ]);
    expect(foreign).toContain('HOST=203.0.113.1');
    expect(foreign).toContain('does not have that address');
    expect(unknown).toContain('the host is unknown');
  });
});

describe('printed chat command', () => {
  it.each(['::1', '0.0.0.0'])(
    'the chat command and the address of the page that a server with HOST=%s prints reach it',
    async (HOST) => {
      // Clients of an address that others can reach show a credential: the operator puts it into the chat's environment.
      const identities = newIdentities();
      const key = identities.apiKey('operator', 'user');
      const proven = { ...identities.environment, AUTH: 'keys', TRUST_PROXY: '127.0.0.1' };
      const instance = await startInstance({
        ...(HOST === '::1' ? {} : proven),
        HOST,
        SIMULATOR_TOKENS: '3',
        SIMULATOR_TOKENS_PER_SECOND: '0',
      });
      const listening = instance.logs.find((line) => line.includes('"msg":"listening"')) ?? '{}';
      const { chat, page } = JSON.parse(listening) as { readonly chat: string; readonly page: string };
      expect((await fetch(page)).status).toBe(200);
      // A shell splits the command, as it does when an operator copies it.
      const words = execFileSync('sh', ['-c', `printf '%s\\n' ${chat.split(' -- ')[1]}`], {
        encoding: 'utf8',
      });
      const args = words.trim().split('\n');
      const { code, stderr } = await runToEnd('chat.js', HOST === '::1' ? {} : { REHYDRA_TOKEN: key }, args);
      expect(stderr).not.toContain('Invalid URL');
      expect(code).toBe(0);
      expect((await fetch(`${instance.http}/healthz`)).status).toBe(200);
      await instance.stop();
      identities.close();
    },
  );
});
