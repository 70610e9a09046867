/**
 * The store goes away under load and comes back. Every acknowledged message must survive, a client may repeat an
 * unacknowledged one without loss, and no instance is restarted.
 */
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { type SimulatorProcess, startSimulatorProcess } from '../support/instance/instance.ts';
import { metric } from '../support/instance/observed.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';
import { lostTurns, startCrowd, wronglyTurned, wrongTexts } from './chaos/crowd.ts';
import { inParallel, seeded, tell, until } from './chaos/figures.ts';
import { type Fleet, startFleet } from './chaos/fleet.ts';
import { differenceFromLog, storedFrames } from './chaos/oracle.ts';

const TALKERS = 60;
const SITTERS = 10;
const STORE_CODE = /STORE_\w+/;
const MAX_GROWTH_BYTES = 150 * 1024 * 1024;
let redis: RedisServer;
let direct: Redis;
let simulator: SimulatorProcess;
let fleet: Fleet;

beforeEach(async () => {
  redis = await startRedis({ appendonly: 'always' });
  direct = new Redis(redis.port, '127.0.0.1', { retryStrategy: () => 100, maxRetriesPerRequest: null });
  direct.on('error', () => {});
  simulator = await startSimulatorProcess({ SIMULATOR_TOKENS: '60', SIMULATOR_TOKENS_PER_SECOND: '15' });
  fleet = await startFleet(2, () => ({
    REDIS_URL: redis.url,
    VLLM_BASE_URL: simulator.url,
  }));
});
afterEach(async () => {
  direct?.disconnect();
  await fleet?.stop();
  await simulator?.stop();
  await redis?.stop();
});

interface Trouble {
  readonly name: string;
  readonly make: () => Promise<void>;
  readonly end: () => Promise<void>;
  readonly lastsMs: number;
  /** Another instance can still claim a session whose owner cannot write. */
  readonly canMove?: true;
}

const admin = async (...command: readonly [string, ...string[]]): Promise<void> => {
  await direct.call(...command);
};

const troubles: readonly Trouble[] = [
  {
    name: 'killed and started again with its append-only file',
    make: () => redis.kill('SIGKILL'),
    end: () => redis.restart(),
    lastsMs: 10_000,
  },
  {
    name: 'paused',
    make: () => redis.kill('SIGSTOP'),
    end: () => redis.kill('SIGCONT'),
    lastsMs: 5_000,
  },
  {
    name: 'full (-OOM)',
    make: () => admin('CONFIG', 'SET', 'maxmemory', '1'),
    end: () => admin('CONFIG', 'SET', 'maxmemory', '0'),
    lastsMs: 4_000,
    canMove: true,
  },
  {
    name: 'a replica for a while (-READONLY)',
    // Its master does not exist, so the replica keeps its own data.
    make: () => admin('REPLICAOF', '127.0.0.1', '1'),
    end: () => admin('REPLICAOF', 'NO', 'ONE'),
    lastsMs: 4_000,
  },
];

describe('Redis outage', () => {
  it.each(troubles)('a Redis outage loses no acknowledged message and no frame: $name', async (trouble) => {
    await liveThrough(trouble);
  });
});

async function liveThrough(trouble: Trouble): Promise<void> {
  const random = seeded(5);
  let going = true;
  const talks = startCrowd(TALKERS, fleet.urls, random, () => going);
  // These clients never reconnect. During the outage each sends one message, which must be refused.
  const sitters = await Promise.all(
    Array.from({ length: SITTERS }, (_, index) => TestClient.greet(fleet.urls[index % 2]!)),
  );
  for (const [index, sitter] of sitters.entries()) sitter.message(`before-${index}`, `I sit here, ${index}.`);
  await Promise.all(sitters.map((sitter) => sitter.waitForType('delta')));
  await until(() => talks.every(({ talker }) => talker.client.frames.length > 20), 'every client to talk');

  const before = [rss(0), rss(1)];
  await trouble.make();
  await new Promise((resume) => setTimeout(resume, 1_000));
  for (const [index, sitter] of sitters.entries()) sitter.message(`during-${index}`, 'Is anybody there?');
  const refusals = await Promise.all(
    sitters.map((sitter, index) =>
      sitter.refused(`during-${index}`).catch((error: unknown) => {
        if (trouble.canMove !== true) throw error;
        return sitter.frames.at(-1);
      }),
    ),
  );
  const ready = await fetch(`${fleet.at(0).http}/readyz`).then(({ status }) => status);
  await new Promise((resume) => setTimeout(resume, trouble.lastsMs - 1_000));
  const grown = [rss(0), rss(1)].map((bytes, index) => bytes - before[index]!);
  const seenAtTheEnd = talks.map(({ talker }) => talker.client.frames.length);
  const endedMs = Date.now();
  await trouble.end();

  await until(
    () => talks.every(({ talker }, index) => talker.client.frames.length > seenAtTheEnd[index]! + 5),
    'every client to be answered again',
  );
  tell(`${trouble.name}: every client was answered again ${Date.now() - endedMs} ms after its end`);
  tell(`memory grew by ${grown.map((bytes) => `${Math.round(bytes / 2 ** 20)} MiB`).join(' and ')}`);
  // From now on every message must be answered as before the outage.
  await new Promise((resume) => setTimeout(resume, 3_000));
  going = false;
  const talkers = await Promise.all(talks.map(({ finished }) => finished));

  const codes = trouble.canMove === true ? ['store_unavailable', 'session_moved'] : ['store_unavailable'];
  for (const refusal of refusals)
    expect(refusal).toMatchObject({ code: expect.toBeOneOf(codes), retryable: true });
  for (const bytes of grown) expect(bytes).toBeLessThan(MAX_GROWTH_BYTES);
  tell(`readiness said ${ready} while it lasted`);
  for (const [index, { isOpen, sessionId, frames }] of sitters.entries()) {
    if (isOpen) continue;
    expect(trouble.canMove, 'a socket was closed').toBe(true);
    expect(frames.at(-1), 'only a moved session closes a socket').toMatchObject({ code: 'session_moved' });
    sitters[index] = await TestClient.greet(fleet.urls[index % 2]!, { session_id: sessionId, after: 0 });
  }
  for (const [index, sitter] of sitters.entries()) sitter.message(`during-${index}`, 'Is anybody there?');
  for (const [index, sitter] of sitters.entries()) {
    expect((await sitter.completed(`before-${index}`)).type).toBe('turn.completed');
    expect((await sitter.completed(`during-${index}`)).type).toBe('turn.completed');
    const log = await storedFrames(direct, sitter.sessionId);
    expect(differenceFromLog(sitter.durable, log, { toTheEnd: false })).toBeNull();
    sitter.drop();
  }
  const clients = talkers.map(({ client }) => client);
  const errors = clients
    .flatMap(({ errors: told }) => told)
    .filter(({ code }) => code !== 'duplicate_message');
  expect(errors.filter(({ retryable }) => !retryable)).toEqual([]);
  expect(lostTurns(talkers)).toEqual([]);
  expect(clients.flatMap(({ violations }) => violations)).toEqual([]);
  expect(clients.flatMap(({ resets }) => resets.map(({ reason }) => reason))).toEqual([]);
  const wrong = await inParallel(talkers, 16, async ({ client, said }) => {
    const log = await storedFrames(direct, client.sessionId);
    const difference = differenceFromLog(client.frames, log, { toTheEnd: false });
    return [...wronglyTurned(said, log), ...(difference === null ? [] : [difference])];
  });
  expect(wrong.flat()).toEqual([]);
  expect(await wrongTexts(simulator.url, talkers)).toEqual([]);
  const turns = talkers.reduce((sum, talker) => sum + talker.turns.length, 0);
  const failures = await Promise.all(
    [0, 1].map((index) => metric(fleet.at(index).http, 'rehydra_store_errors_total')),
  );
  tell(`${turns} turns, ${errors.length} retryable errors seen, ${failures.join(' + ')} store errors met`);
  const told = new Set(
    fleet.history.flatMap(({ logs }) => logs.flatMap((line) => STORE_CODE.exec(line) ?? [])),
  );
  tell(`the instances met ${[...told].join(', ')}`);
  expect(fleet.history).toHaveLength(fleet.size);
  for (const client of clients) client.stop();
}

/** Private memory of an instance, as the kernel counts it. */
function rss(index: number): number {
  const status = readFileSync(`/proc/${fleet.at(index).pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1_024;
}
