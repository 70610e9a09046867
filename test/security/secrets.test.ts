/**
 * A password or key of the operator never reaches a reader: not in a log line at any level, a page, a metric, an error, or
 * in what the migration says and notes. Each secret holds a canary; no output may contain it, encoded or not.
 */
import { once } from 'node:events';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorForLog } from '../../src/telemetry/log.ts';
import { type Environment, runToEnd, spawnBuilt, startInstance } from '../support/instance/instance.ts';
import { freePort } from '../support/instance/processes.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';

const CANARY = 'Hunter2Canary';

/** A URL's user part in every form in which an operator may write a password. */
const USER_PARTS = [
  `u:${CANARY}`,
  `:${CANARY}`,
  `u:${CANARY}%2F%40x`,
  `u:x/${CANARY}`,
  `u:x@${CANARY}`,
  `u:x#${CANARY}`,
  `u:100%${CANARY}`,
  CANARY,
];

function urlsOf(scheme: string, rest: string): readonly string[] {
  return [
    ...USER_PARTS.map((part) => `${scheme}://${part}@${rest}`),
    ...USER_PARTS.map((part) => `${scheme}://${part}@h:notaport`),
    `${scheme}://${rest}?password=${CANARY}`,
    `${scheme}://${rest}?%70assword=${CANARY}`,
    `${scheme}://h:notaport?password=${CANARY}`,
    `u:${CANARY}@${rest}`,
    `password=${CANARY}`,
  ];
}

/** Starts that the settings refuse, with all URLs in one start; then starts that fail at the address itself. */
function startsOf(closed: string): readonly Environment[] {
  const forms = ['redis', 'redis+cluster'].map((scheme) => urlsOf(scheme, closed));
  const [redis = [], cluster = []] = forms;
  const postgres = urlsOf('postgres', `${closed}/db`);
  const model = urlsOf('http', `${closed}/v1`);
  const refused = redis.map((url, form) => ({
    REDIS_URL: url,
    STORE_ROLLOUT_URL: cluster[form] ?? '',
    DATABASE_URL: postgres[form] ?? '',
    VLLM_BASE_URL: model[form] ?? '',
    DATA_KEYS: form % 2 === 0 ? CANARY : `${CANARY}:${CANARY}`,
    AUDIT_KEY: CANARY,
    VLLM_API_KEY: CANARY,
    VLLM_EXTRA_BODY: `{"api_key":"${CANARY}"`,
  }));
  const reached = [...redis, ...cluster]
    .filter((url) => url.includes(closed) && /^redis/.test(url))
    .map((url) => ({ REDIS_URL: url }));
  const archives = postgres
    .filter((url) => url.includes(closed) && url.startsWith('postgres'))
    .map((url) => ({ DATABASE_URL: url }));
  return [...refused, ...reached, ...archives];
}

/** Everything that the program says until it ends, listens, or has tried to connect. */
async function saidBy(environment: Environment): Promise<string> {
  const child = spawnBuilt('main.js', [], environment);
  let said = '';
  const ended = once(child, 'close');
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (/"msg":"(listening|redis connection)"/.test(said)) child.kill('SIGTERM');
    });
  child.stdin?.end();
  await ended;
  return said;
}

describe('secrets of the operator', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  it('an instance that cannot start shows no password of any variable, however it is written', async () => {
    const closed = `127.0.0.1:${await freePort()}`;
    const starts = startsOf(closed);
    const wrong: string[] = [];
    const run = async (environment: Environment): Promise<void> => {
      const said = await saidBy({
        PORT: '0',
        DATA_DIR: ':memory:',
        LOG_LEVEL: 'trace',
        DRAIN_MS: '1',
        ...environment,
      });
      if (said.includes(CANARY)) wrong.push(`${JSON.stringify(environment)}: ${said}`);
    };
    const waiting = [...starts];
    const lanes = Array.from({ length: 8 }, async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await run(next);
    });
    await Promise.all(lanes);
    expect(wrong).toEqual([]);
  });

  it('a running instance shows no password on a page, in a metric, in an answer or in its log, even after its store is gone', async () => {
    const operator = new Redis(redis.url);
    await operator.call('ACL', 'SETUSER', 'app', 'on', `>${CANARY}/@`, '~*', '&*', '+@all');
    operator.disconnect();
    const instance = await startInstance({
      REDIS_URL: `redis://app:${CANARY}%2F%40@127.0.0.1:${redis.port}`,
      VLLM_BASE_URL: `http://127.0.0.1:${await freePort()}/v1`,
      VLLM_API_KEY: CANARY,
      DATA_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
      VLLM_EXTRA_BODY: `{"api_key":"${CANARY}"}`,
      LOG_LEVEL: 'trace',
    });
    const paths = ['/healthz', '/readyz', '/metrics', '/dashboard', '/api/analytics', '/openapi.json', '/x'];
    const pages = async () => {
      for (const path of paths)
        expect(await (await fetch(`${instance.http}${path}`)).text(), path).not.toContain(CANARY);
      const turn = await fetch(`${instance.http}/api/protocol`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"chief_complaint":"headache"}',
      });
      expect(await turn.text()).not.toContain(CANARY);
    };
    await pages();
    await redis.kill('SIGKILL');
    await pages();
    // Redis comes back without the user: the driver's AUTH is refused.
    await redis.restart();
    await pages();
    await instance.stop();
    expect(instance.logs.length).toBeGreaterThan(3);
    expect(instance.logs.join('\n')).not.toContain(CANARY);
    expect(instance.logs.join('\n')).not.toContain(Buffer.alloc(32, 7).toString('base64'));
  });

  it('the migration shows no password of a store, and keeps none in its notes', async () => {
    const closed = `127.0.0.1:${await freePort()}`;
    const urls = [...urlsOf('redis', closed), ...urlsOf('redis+cluster', closed)];
    // A port that is no number fails at once; an address where no server listens is tried for half a minute.
    const quick = urls.filter((url) => !url.includes(closed) || !url.startsWith('redis'));
    for (const url of quick) {
      const { code, stdout, stderr } = await runToEnd('migrate.js', {}, ['--from', url, '--to', 'sqlite:/x']);
      expect(code, url).not.toBe(0);
      expect(`${stdout}${stderr}`, url).not.toContain(CANARY);
    }
    const target = `redis://127.0.0.1:${redis.port}/?password=`;
    const operator = new Redis(redis.url);
    await operator.config('SET', 'requirepass', CANARY);
    await operator.auth(CANARY);
    const moved = await runToEnd('migrate.js', {}, [
      '--from',
      'sqlite::memory:',
      '--to',
      `${target}${CANARY}`,
    ]);
    expect(moved).toMatchObject({ code: 0 });
    expect(`${moved.stdout}${moved.stderr}`).not.toContain(CANARY);
    const notes = await operator.keys('rehydra:migration:*');
    expect(notes).toHaveLength(1);
    expect(await operator.get(notes[0] ?? '')).not.toContain(CANARY);
    operator.disconnect();
  });
});

describe('an error in the log', () => {
  it('an error in the log shows neither the fields that a driver attached nor a password in its message', () => {
    const error = Object.assign(new Error(`connect redis://u:${CANARY}@h?password=${CANARY} failed`), {
      command: { name: 'auth', args: ['u', CANARY] },
      input: `redis://u:${CANARY}@h`,
      code: 'ERR_INVALID_URL',
    });
    const logged = errorForLog(error);
    expect(JSON.stringify(logged)).not.toContain(CANARY);
    expect(logged).toMatchObject({
      type: 'Error',
      code: 'ERR_INVALID_URL',
      message: 'connect redis://***@h?password=*** failed',
    });
  });
});
