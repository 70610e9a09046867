/**
 * Ten thousand sessions without a client fall due at one moment. Making them takes a while, so the instances are
 * paused, or dead, until the last session is due; then all three instances see all due sessions together.
 */
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterEach, expect, it } from 'vitest';
import { metric } from '../support/instance/observed.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';
import { storedSnapshot } from '../support/instance/stored-snapshot.ts';
import { openAndLeave } from './chaos/crowd.ts';
import { tell, until } from './chaos/figures.ts';
import { type Fleet, startFleet } from './chaos/fleet.ts';

const INSTANCES = [0, 1, 2];
let redis: RedisServer;
let direct: Redis;
let fleet: Fleet;

async function start(idleMs: number): Promise<void> {
  redis = await startRedis();
  direct = new Redis(redis.port, '127.0.0.1');
  fleet = await startFleet(INSTANCES.length, () => ({
    REDIS_URL: redis.url,
    SESSION_IDLE_MS: `${idleMs}`,
    SESSION_WARN_MS: '1000',
    HIBERNATE_MS: '200',
  }));
}
async function stop(): Promise<void> {
  direct?.disconnect();
  await fleet?.stop();
  await redis?.stop();
}
afterEach(stop);

async function keys(pattern: string): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const page of direct.scanStream({ match: pattern, count: 1_000 }))
    found.push(...(page as string[]));
  return found;
}

const sum = async (name: string, labels: Readonly<Record<string, string>>): Promise<number> => {
  const counts = await Promise.all(INSTANCES.map((index) => metric(fleet.at(index).http, name, labels)));
  return counts.reduce((total, count) => total + count, 0);
};
const ended = (): Promise<number> => sum('rehydra_actors_stopped_total', { reason: 'ended' });

interface Due {
  readonly first: number;
  readonly last: number;
}

/** Makes sessions, disconnects, and resolves with the times at which they are due. */
async function makeSessions(count: number): Promise<Due> {
  const startedMs = Date.now();
  const ids = Array.from({ length: count }, () => randomUUID());
  await openAndLeave(fleet.urls, ids);
  expect(await sum('rehydra_sessions_opened_total', { how: 'created' })).toBe(count);
  await until(async () => (await sum('rehydra_resident_sessions', {})) === 0, 'all to sleep');
  const snapshots = await Promise.all(ids.map((id) => storedSnapshot(direct, id)));
  const dueTimes = snapshots.map((snapshot) => {
    if (snapshot === '') return 0;
    const { context } = JSON.parse(snapshot) as {
      readonly context: { readonly lastActivityAt: number; readonly limits: { readonly idleMs: number } };
    };
    return context.lastActivityAt + context.limits.idleMs;
  });
  const due = { first: Math.min(...dueTimes), last: Math.max(...dueTimes) };
  const endedAlready = await ended();
  if (Date.now() < due.first) expect(endedAlready, 'nothing may end before it is due').toBe(0);
  tell(`${count} sessions made in ${Date.now() - startedMs} ms`);
  return due;
}

/**
 * Makes sessions, holds the instances before the first session is due, and resolves with the time of the last. A
 * machine that is too slow for that starts over with sessions that live longer.
 */
async function heldSessions(count: number, idleMs: number, hold: () => Promise<void>): Promise<number> {
  await start(idleMs);
  const due = await makeSessions(count);
  await hold();
  if (Date.now() < due.first) return due.last;
  expect(idleMs, 'no machine is that slow').toBeLessThan(300_000);
  await stop();
  return heldSessions(count, 2 * idleMs, hold);
}

/** Call it when every session is due and all three instances run. */
async function expectOneEndEach(count: number, from: string): Promise<void> {
  const startedMs = Date.now();
  await until(async () => (await keys('rehydra:{b*')).length === 0, 'every key of every session to be gone', {
    everyMs: 100,
  });
  tell(`worst lag, from ${from} to the last key gone: ${Date.now() - startedMs} ms`);
  expect(await ended()).toBe(count);
  expect(await keys('rehydra:*')).toEqual(['rehydra:instances']);
  // No instance may find a session a second time.
  await new Promise((resume) => setTimeout(resume, 1_500));
  expect(await ended()).toBe(count);
  const shares = await Promise.all(
    INSTANCES.map((index) =>
      metric(fleet.at(index).http, 'rehydra_actors_stopped_total', { reason: 'ended' }),
    ),
  );
  tell(`${shares.join(' + ')} expired, each exactly once`);
}

const sleepUntil = (at: number): Promise<void> =>
  new Promise((resume) => setTimeout(resume, Math.max(0, at - Date.now())));

it('ten thousand sessions that are due at one moment with no client connected expire exactly once each', async () => {
  const lastDueAt = await heldSessions(10_000, 60_000, async () => {
    for (const index of INSTANCES) fleet.at(index).kill('SIGSTOP');
  });
  await sleepUntil(lastDueAt);
  for (const index of INSTANCES) fleet.at(index).kill('SIGCONT');
  await expectOneEndEach(10_000, 'the moment at which all were due');
});

it('a session whose deadline passes while every instance is dead expires exactly once after the restart', async () => {
  const lastDueAt = await heldSessions(3_000, 20_000, async () => {
    for (const index of INSTANCES) await fleet.kill(index);
  });
  await sleepUntil(lastDueAt);
  await Promise.all(INSTANCES.map((index) => fleet.revive(index)));
  await expectOneEndEach(3_000, 'the restart of all three');
});
