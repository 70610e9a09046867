/** Two instances keep the same promises on a Redis Cluster of three masters. */
import { randomUUID } from 'node:crypto';
import { Cluster } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { bucketOf } from '../../src/store/contract.ts';
import { bucketKeys, sessionKeys } from '../../src/store/redis/keys.ts';
import {
  type Environment,
  type SimulatorProcess,
  startSimulatorProcess,
} from '../support/instance/instance.ts';
import { metric } from '../support/instance/observed.ts';
import { ReconnectingClient } from '../support/instance/reconnecting-client.ts';
import { type RedisCluster, startRedisCluster } from '../support/instance/redis-server.ts';
import { lostTurns, openAndLeave, talk, wronglyTurned, wrongTexts } from './chaos/crowd.ts';
import { seeded, tell, until } from './chaos/figures.ts';
import { type Fleet, startFleet } from './chaos/fleet.ts';
import { differenceFromLog, differences, exchange, storedFrames } from './chaos/oracle.ts';
import { moveSlotOf } from './chaos/reshard.ts';

const SESSIONS = 15;
const EXPIRING = 500;
let cluster: RedisCluster;
let redis: Cluster;
let simulator: SimulatorProcess;
let fleet: Fleet;

beforeAll(async () => {
  cluster = await startRedisCluster();
  redis = new Cluster(cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })));
  redis.on('error', () => {});
  simulator = await startSimulatorProcess({ SIMULATOR_TOKENS: '80', SIMULATOR_TOKENS_PER_SECOND: '20' });
});
afterAll(async () => {
  redis?.disconnect();
  await simulator?.stop();
  await cluster?.stop();
});
afterEach(async () => {
  await fleet?.stop();
});

async function start(changes: Environment = {}): Promise<void> {
  fleet = await startFleet(2, () => ({
    REDIS_URL: `redis+cluster://${cluster.nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    VLLM_BASE_URL: simulator.url,
    LEASE_MS: '2000',
    HIBERNATE_MS: '500',
    ...changes,
  }));
}

async function ended(): Promise<number> {
  const counts = await Promise.all(
    [0, 1].map((index) => metric(fleet.at(index).http, 'rehydra_actors_stopped_total', { reason: 'ended' })),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

async function expectWhole(clients: readonly ReconnectingClient[]): Promise<void> {
  for (const client of clients) {
    const log = await storedFrames(redis, client.sessionId);
    expect(differenceFromLog(client.frames, log, { toTheEnd: false })).toBeNull();
    expect(client.violations).toEqual([]);
    expect(client.resets).toEqual([]);
  }
}

describe('Redis Cluster', () => {
  it('on a Redis Cluster a client that moves in mid-answer gets the rest from the other instance, and its message starts one turn', async () => {
    await start();
    const ids = Array.from({ length: SESSIONS }, () => randomUUID());
    const clients = ids.map((sessionId) => new ReconnectingClient({ urls: fleet.urls, sessionId }));
    await Promise.all(clients.map((client) => client.welcomed()));
    const said = clients.map((client, index) => client.say(`Cluster question ${index}.`));
    const begun = (client: ReconnectingClient, index: number) =>
      (client.turnOf(said[index]!)?.text ?? '').length > 20;
    await Promise.all(clients.map((client, index) => client.until(() => begun(client, index), 'some text')));
    for (const client of clients) client.drop();
    // A second device sends the same message to the other instance, which must recognise it.
    const others = ids.map(
      (sessionId) => new ReconnectingClient({ urls: [fleet.urls[1]!], sessionId, after: 0 }),
    );
    for (const [index, other] of others.entries()) other.say(said[index]!.content, { id: said[index]!.id });
    const turns = await Promise.all(clients.map((client, index) => client.answered(said[index]!)));
    for (const [index, other] of others.entries())
      expect((await other.answered(said[index]!)).text).toBe(turns[index]!.text);
    for (const [index, sessionId] of ids.entries())
      expect(wronglyTurned([said[index]!], await storedFrames(redis, sessionId))).toEqual([]);
    const conversations = turns.map((turn, index) => [exchange(said[index]!.content, turn)]);
    expect(await differences(simulator.url, conversations)).toEqual([]);
    expect(new Set(clients.flatMap(({ instances }) => instances)).size).toBe(2);
    await expectWhole([...clients, ...others]);
    for (const client of [...clients, ...others]) client.stop();
  });

  it('on a Redis Cluster the death of an owner in mid-answer loses no byte and no offset', async () => {
    await start();
    const clients = Array.from({ length: SESSIONS }, () => new ReconnectingClient({ urls: fleet.urls }));
    await Promise.all(clients.map((client) => client.welcomed()));
    const said = clients.map((client, index) => client.say(`Deadly question ${index}.`));
    await Promise.all(
      clients.map((client, index) =>
        client.until(() => (client.turnOf(said[index]!)?.text ?? '').length > 4 * index, 'some text'),
      ),
    );
    await fleet.kill(0);
    const turns = await Promise.all(clients.map((client, index) => client.answered(said[index]!)));
    const conversations = turns.map((turn, index) => [exchange(said[index]!.content, turn)]);
    expect(await differences(simulator.url, conversations)).toEqual([]);
    await expectWhole(clients);
    for (const client of clients) client.stop();
  });

  it('on a Redis Cluster a slot that moves to another master under load loses no frame, and watchers still receive every frame', async () => {
    await start();
    const [home, ...more] = idsOfOneBucket(SESSIONS + 1);
    const random = seeded(6);
    let going = true;
    const talks = more.map((sessionId, index) =>
      talk({
        urls: [fleet.urls[index % 2]!],
        sessionId,
        random,
        pauseMs: 100,
        goesOn: ({ turns }) => going || turns.length < 2,
      }),
    );
    await until(() => talks.every(({ talker }) => talker.client.frames.length > 5), 'all to talk');
    const watchers = talks.map(
      ({ talker }, index) =>
        new ReconnectingClient({
          urls: [fleet.urls[(index + 1) % 2]!],
          sessionId: talker.client.sessionId,
          after: 0,
        }),
    );
    await Promise.all(watchers.map((watcher) => watcher.welcomed()));
    const { slot, keys } = await moveSlotOf(cluster, bucketKeys(bucketOf(home!)).due, 150);
    tell(`slot ${slot} moved with ${keys} keys while ${more.length} of its sessions talked`);
    // Messages after the move must reach the watchers too.
    await new Promise((resume) => setTimeout(resume, 3_000));
    going = false;
    const talkers = await Promise.all(talks.map(({ finished }) => finished));
    expect(lostTurns(talkers)).toEqual([]);
    for (const [index, { client, said }] of talkers.entries()) {
      expect(wronglyTurned(said, await storedFrames(redis, client.sessionId))).toEqual([]);
      await watchers[index]!.until(() => watchers[index]!.offset >= client.offset, 'the watcher to know all');
    }
    expect(await wrongTexts(simulator.url, talkers)).toEqual([]);
    await expectWhole([...talkers.map(({ client }) => client), ...watchers]);

    // Every session is hibernated; the next message must still reach the watchers on the other instance.
    await new Promise((resume) => setTimeout(resume, 1_500));
    const last = talkers.map(({ client }) => client.say('One last question.', { maxTokens: 5 }));
    for (const [index, watcher] of watchers.entries()) await watcher.answered(last[index]!);
    for (const client of [...talkers.map((talker) => talker.client), ...watchers]) client.stop();
  });

  it('on a Redis Cluster sessions expire on time while their slot moves, even when the index of deadlines moves first', async () => {
    await start({ SESSION_IDLE_MS: '6000' });
    const ids = idsOfOneBucket(SESSIONS);
    await openAndLeave(fleet.urls, ids);
    const { due } = bucketKeys(bucketOf(ids[0]!));
    const { keys } = await moveSlotOf(cluster, due, 600, /:(due|ls\b.*)$/);
    tell(`${keys} keys moved while ${SESSIONS} sessions fell due`);
    await until(async () => (await ended()) >= SESSIONS, 'all to expire', { everyMs: 200 });
    expect(await ended()).toBe(SESSIONS);
  });

  it('on a Redis Cluster each session expires exactly once with no client connected', async () => {
    await start({ SESSION_IDLE_MS: '15000' });
    const ids = Array.from({ length: EXPIRING }, () => randomUUID());
    await openAndLeave(fleet.urls, ids);
    await until(async () => (await ended()) >= EXPIRING, 'all to expire', { everyMs: 200 });
    await new Promise((resume) => setTimeout(resume, 2_000));
    expect(await ended()).toBe(EXPIRING);
    const left = ids.flatMap((id) => {
      const { session, lock, log, transcript, inbox } = sessionKeys(id);
      return [session, lock, log, transcript, inbox].map((key) => redis.exists(key));
    });
    expect((await Promise.all(left)).filter((exists) => exists > 0)).toEqual([]);
  });
});

function idsOfOneBucket(count: number): readonly string[] {
  const ids = [randomUUID()];
  const bucket = bucketOf(ids[0]!);
  while (ids.length < count) {
    const id = randomUUID();
    if (bucketOf(id) === bucket) ids.push(id);
  }
  return ids;
}
