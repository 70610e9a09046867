/**
 * A Redis that still loads its data accepts connections and refuses commands. A new connection learns from INFO that
 * Redis loads; an open connection gets -LOADING. Here every key costs Redis a delay, so that it loads for as long as
 * the test wants: the test removes the delay when it has seen enough.
 */
import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { type SimulatorProcess, startSimulatorProcess } from '../support/instance/instance.ts';
import { startProxy, type TcpProxy } from '../support/instance/proxy.ts';
import { withClient } from '../support/instance/redis-process.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';
import { lostTurns, startCrowd, wronglyTurned, wrongTexts } from './chaos/crowd.ts';
import { inParallel, seeded, tell, until } from './chaos/figures.ts';
import { type Fleet, startFleet } from './chaos/fleet.ts';
import { differenceFromLog, storedFrames } from './chaos/oracle.ts';

const INSTANCES = [0, 1];
const TALKERS = 20;
const SITTERS = 6;
/** A data set that takes minutes to load, and no time once the delay is gone. */
const KEYS = 20_000;
const KEY_BYTES = 1_024;
const SLOW_LOAD = ['--key-load-delay', '10000', '--loading-process-events-interval-bytes', '1024'];
/** A read-only replica would answer -READONLY instead of -LOADING. */
const WRITABLE = ['--replica-read-only', 'no'];
const ATTEMPTS = 5;

let redis: RedisServer;
let copy: RedisServer | null = null;
let lines: TcpProxy[] = [];
let simulator: SimulatorProcess;
let fleet: Fleet;

beforeEach(async () => {
  const args = [...SLOW_LOAD, ...WRITABLE, '--rdbcompression', 'no'];
  redis = await startRedis({ appendonly: 'always', args });
  await fill(redis, KEYS);
  await withClient(redis.port, (client) => client.bgrewriteaof());
  await until(() => says(redis, 'aof_rewrite_in_progress:0'), 'the file of the data set');
  lines = await Promise.all(INSTANCES.map(() => startProxy(redis.port)));
  simulator = await startSimulatorProcess({ SIMULATOR_TOKENS: '60', SIMULATOR_TOKENS_PER_SECOND: '15' });
  fleet = await startFleet(INSTANCES.length, (index) => ({
    REDIS_URL: `redis://127.0.0.1:${lines[index]!.port}`,
    VLLM_BASE_URL: simulator.url,
  }));
});
afterEach(async () => {
  await fleet?.stop();
  await simulator?.stop();
  for (const line of lines) await line.stop();
  await copy?.stop();
  copy = null;
  await redis?.stop();
});

async function fill(server: RedisServer, keys: number): Promise<void> {
  await withClient(server.port, async (client) => {
    const pipeline = client.pipeline();
    for (let key = 0; key < keys; key += 1) pipeline.set(`ballast:${key}`, randomBytes(KEY_BYTES));
    await pipeline.exec();
  });
}

async function says(server: RedisServer, line: string): Promise<boolean> {
  return withClient(server.port, async (client) => (await client.info()).includes(`\n${line}\r\n`));
}

const loadOn = (): Promise<unknown> =>
  withClient(redis.port, (client) => client.config('SET', 'key-load-delay', 0));

/** False where Redis cut an instance off before it loaded: the new connection then sees INFO alone, never -LOADING. */
async function isRefusedEverywhere(): Promise<boolean> {
  const isRefused = (index: number) => fleet.at(index).logs.some((line) => line.includes('"STORE_LOADING"'));
  const all = until(() => INSTANCES.every(isRefused), 'refusals', { withinMs: 15_000 });
  return all.then(
    () => true,
    () => false,
  );
}

interface Way {
  readonly name: string;
  /** Resolves once Redis loads and every instance knows it. */
  begin(): Promise<void>;
  end(): Promise<void>;
}

const ways: readonly Way[] = [
  {
    name: 'after its restart',
    async begin() {
      const announced = lines.map((line) => line.listenFor('\nloading:1\r\n'));
      await redis.kill('SIGKILL');
      await redis.restart('answering');
      await until(() => announced.every((times) => times() > 0), 'every instance to learn that Redis loads');
    },
    async end() {
      await loadOn();
      await until(() => says(redis, 'loading:0'), 'the data to be loaded');
    },
  },
  {
    name: 'while it takes in a whole copy (-LOADING)',
    async begin() {
      copy = await startRedis({ replicaOf: redis, args: ['--repl-backlog-size', '16384'] });
      for (let attempt = 1; ; attempt += 1) {
        await copyBack(copy);
        if (await isRefusedEverywhere()) return;
        expect(attempt, 'an instance was never refused').toBeLessThan(ATTEMPTS);
        await this.end();
        await withClient(redis.port, (client) => client.config('SET', 'key-load-delay', 10_000));
      }
    },
    async end() {
      await loadOn();
      await until(() => says(redis, 'master_link_status:up'), 'the copy to be there');
      await withClient(redis.port, (client) => client.replicaof('NO', 'ONE'));
    },
  },
];

/** The copy has every acknowledged write and gives it back as one whole copy; connections stay open meanwhile. */
async function copyBack(target: RedisServer): Promise<void> {
  await withClient(target.port, (client) => client.replicaof('127.0.0.1', redis.port));
  await until(() => says(target, 'master_link_status:up'), 'the copy');
  for (const line of lines) line.pause();
  await until(async () => (await offsetOf(redis)) === (await offsetOf(target)), 'the last writes', {
    everyMs: 5,
  });
  await withClient(target.port, (client) => client.replicaof('NO', 'ONE'));
  // More than the backlog holds, so that Redis must take a whole copy instead of the last writes.
  await fill(target, 500);
  await withClient(redis.port, (client) => client.replicaof('127.0.0.1', target.port));
  await until(() => says(redis, 'loading:1'), 'the copy to be loaded', { everyMs: 5 });
  for (const line of lines) line.resume();
}

async function offsetOf(server: RedisServer): Promise<number> {
  const info = await withClient(server.port, (client) => client.info('replication'));
  return Number(/\nmaster_repl_offset:(\d+)/.exec(info)?.[1]);
}

it.each(ways)(
  'while Redis loads its data, instances refuse work and no acknowledged write is lost: $name',
  async (way) => {
    const random = seeded(8);
    let going = true;
    const talks = startCrowd(TALKERS, fleet.urls, random, () => going);
    // These never reconnect.
    const sitters = await Promise.all(
      Array.from({ length: SITTERS }, (_, index) => TestClient.greet(fleet.urls[index % 2]!, { after: 0 })),
    );
    await until(() => talks.every(({ talker }) => talker.client.frames.length > 20), 'all to talk');
    for (const [index, sitter] of sitters.entries())
      sitter.message(`before-${index}`, `I sit here, ${index}.`);
    await Promise.all(sitters.map((sitter) => sitter.waitForType('delta')));

    await way.begin();
    for (const [index, sitter] of sitters.entries()) sitter.message(`during-${index}`, 'Is anybody there?');
    for (const [index, sitter] of sitters.entries())
      expect(await sitter.refused(`during-${index}`)).toMatchObject({
        code: 'store_unavailable',
        retryable: true,
      });
    // A frame after the refusal on the same socket would be a frame after the last acknowledgement.
    const known = sitters.map((sitter) => sitter.durable.length);
    for (const index of INSTANCES) {
      await until(
        async () => (await fetch(`${fleet.at(index).http}/readyz`)).status === 503,
        'an instance to say that it is not ready',
      );
      expect((await fetch(`${fleet.at(index).http}/healthz`)).status).toBe(200);
    }
    for (const index of INSTANCES) {
      const stranger = await TestClient.open(fleet.urls[index]!);
      stranger.send({ type: 'hello' });
      const refusal = await stranger.waitForType('error');
      expect(refusal).toMatchObject({ code: 'store_unavailable', retryable: true });
      expect(stranger.isOpen).toBe(true);
      stranger.drop();
    }
    await new Promise((resume) => setTimeout(resume, 5_000));
    expect(sitters.map((sitter) => sitter.durable.length)).toEqual(known);
    expect(sitters.filter(({ isOpen }) => !isOpen)).toEqual([]);
    expect(await says(redis, 'loading:1')).toBe(true);

    const seenAtTheEnd = talks.map(({ talker }) => talker.client.frames.length);
    await way.end();
    const endedMs = Date.now();
    await until(
      () => talks.every(({ talker }, index) => talker.client.frames.length > seenAtTheEnd[index]! + 5),
      'every client to be answered again',
    );
    tell(`${way.name}: every client was answered again ${Date.now() - endedMs} ms after it had loaded`);
    for (const [index, sitter] of sitters.entries()) sitter.message(`during-${index}`, 'Is anybody there?');
    going = false;
    const talkers = await Promise.all(talks.map(({ finished }) => finished));

    const direct = new Redis(redis.port, '127.0.0.1');
    for (const [index, sitter] of sitters.entries()) {
      expect((await sitter.completed(`before-${index}`)).type).toBe('turn.completed');
      expect((await sitter.completed(`during-${index}`)).type).toBe('turn.completed');
      const log = await storedFrames(direct, sitter.sessionId);
      expect(differenceFromLog(sitter.durable, log, { toTheEnd: false })).toBeNull();
    }
    const wrong = await inParallel(talkers, 16, async ({ client, said }) => {
      const log = await storedFrames(direct, client.sessionId);
      const difference = differenceFromLog(client.frames, log, { toTheEnd: false });
      return [...wronglyTurned(said, log), ...(difference === null ? [] : [difference])];
    });
    direct.disconnect();
    expect(wrong.flat()).toEqual([]);
    const clients = talkers.map(({ client }) => client);
    const errors = clients
      .flatMap(({ errors: told }) => told)
      .filter(({ code }) => code !== 'duplicate_message');
    expect(errors.filter(({ retryable }) => !retryable)).toEqual([]);
    expect(lostTurns(talkers)).toEqual([]);
    expect(clients.flatMap(({ violations }) => violations)).toEqual([]);
    expect(clients.flatMap(({ resets }) => resets.map(({ reason }) => reason))).toEqual([]);
    expect(await wrongTexts(simulator.url, talkers)).toEqual([]);
    // No instance was restarted.
    expect(fleet.history).toHaveLength(INSTANCES.length);
    for (const sitter of sitters) sitter.drop();
    for (const client of clients) client.stop();
  },
);
