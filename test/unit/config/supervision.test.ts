import { expect, test } from 'vitest';
import { readConfig } from '../../../src/config/config.ts';
import { workerProblems } from '../../../src/config/consistency.ts';
import { environmentSchema } from '../../../src/config/settings.ts';
import { quotaIn, readSupervision, workerEnvironment } from '../../../src/config/supervision.ts';

const REDIS = { REDIS_URL: 'redis://127.0.0.1' };
const SHARED = { port: 99, adminPort: 98 };

test('one worker, or a value that must be refused, starts no supervisor', () => {
  for (const WORKERS of ['', '1', ' 1 ', '0', 'many', '1.5', '1000'])
    expect(readSupervision({ WORKERS })).toBeNull();
  expect(readSupervision({})).toBeNull();
});

test('several workers have names that begin with the name of the instance and are never equal', () => {
  const environment = { ...REDIS, WORKERS: '3', PORT: '0', ADMIN_PORT: '0' };
  const supervision = readSupervision(environment);
  if (supervision === null) throw new Error('no supervision');
  const started = [1, 2].map((number) =>
    workerEnvironment(environment, supervision, { number, joins: number > 1 }, number > 1 ? SHARED : null),
  );
  const [first, second] = started.map(readConfig);
  expect(first).toMatchObject({ instance: `${supervision.instance}.1`, port: 0, role: { joins: false } });
  expect(second).toMatchObject({ instance: `${supervision.instance}.2`, port: 99, role: { joins: true } });
  expect([first, second].map((one) => one?.admin?.port)).toEqual([0, 98]);
  for (const worker of started) expect(readSupervision(worker)).toBeNull();
});

test('INSTANCE_ID names the supervisor, and an invalid log level does not keep it from telling so', () => {
  const named = { ...REDIS, WORKERS: '2', INSTANCE_ID: 'box', LOG_LEVEL: 'loud' };
  expect(readSupervision(named)).toEqual({ workers: 2, instance: 'box', logLevel: 'info' });
});

test.each<[string, Readonly<Record<string, string>>, number | null]>([
  ['a quota of two and a half cores', { '/sys/fs/cgroup/cpu.max': '250000 100000' }, 2.5],
  ['no quota', { '/sys/fs/cgroup/cpu.max': 'max 100000' }, null],
  ['no control group', {}, null],
  [
    'an old control group with two cores',
    {
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '200000',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000',
    },
    2,
  ],
  [
    'an old control group without a quota',
    { '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1', '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000' },
    null,
  ],
])('WORKERS=auto respects the quota of a container: %s', (_, files, cores) => {
  expect(quotaIn((path) => files[path] ?? null)).toBe(cores);
});

test.each<[string, Readonly<Record<string, string>>, string]>([
  ['without Redis', { WORKERS: '2' }, 'linux'],
  ['without Redis, also on one core', { WORKERS: 'auto' }, 'linux'],
  [
    'with a roll-out to the embedded store',
    { ...REDIS, WORKERS: '2', STORE_ROLLOUT_URL: 'sqlite:/d' },
    'linux',
  ],
  ['with an archive in memory', { ...REDIS, WORKERS: '2', DATA_DIR: ':memory:' }, 'linux'],
  ['on a system whose kernel does not share a port', { ...REDIS, WORKERS: '2' }, 'darwin'],
])('several workers are refused in one line %s', (_, environment, platform) => {
  const problems = workerProblems(environmentSchema.parse(environment), platform);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(`WORKERS=${environment.WORKERS}`);
});

test('one worker is refused nowhere, and several workers with Redis and an archive on disk are accepted', () => {
  const problems = (environment: Readonly<Record<string, string>>, platform: string) =>
    workerProblems(environmentSchema.parse(environment), platform);
  expect(problems({ WORKERS: '1' }, 'darwin')).toEqual([]);
  expect(problems({ ...REDIS, WORKERS: '4' }, 'linux')).toEqual([]);
  expect(problems({ ...REDIS, WORKERS: 'AUTO' }, 'linux')).toEqual([]);
});
