/**
 * One broken session must not harm the others: its stored data, or junk on a channel, makes shared code throw.
 * The instance refuses the session and leaves its data as it was; once repaired, the session works again.
 */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sessionKeys } from '../../src/store/redis/keys.ts';
import { elementsOf, framesOf } from '../../src/store/redis/texts/log-element.ts';
import { TestClient } from '../support/instance/client.ts';
import { type Instance, type SimulatorProcess, startSimulatorProcess } from '../support/instance/instance.ts';
import { metric, plainAnswer } from '../support/instance/observed.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';
import { storedSnapshot, storeSnapshot } from '../support/instance/stored-snapshot.ts';
import { until } from './chaos/figures.ts';
import { type Fleet, startFleet } from './chaos/fleet.ts';
import { differenceFromLog, storedFrames } from './chaos/oracle.ts';

let redis: RedisServer;
let direct: Redis;
let simulator: SimulatorProcess;
let fleet: Fleet;

beforeAll(async () => {
  redis = await startRedis();
  direct = new Redis(redis.port, '127.0.0.1', { protocol: 2, replyMapping: 'legacy' });
  simulator = await startSimulatorProcess({ SIMULATOR_TOKENS: '60', SIMULATOR_TOKENS_PER_SECOND: '20' });
  fleet = await startFleet(2, () => ({
    REDIS_URL: redis.url,
    VLLM_BASE_URL: simulator.url,
    HIBERNATE_MS: '500',
  }));
});
afterAll(async () => {
  direct?.disconnect();
  await fleet?.stop();
  await simulator?.stop();
  await redis?.stop();
});

const sleeps = (sessionId: string): Promise<void> =>
  until(async () => (await direct.exists(sessionKeys(sessionId).lock)) === 0, 'the session to sleep');

/** Everything stored of a session except its owner. */
async function kept(sessionId: string): Promise<unknown> {
  const { session, log, transcript, inbox } = sessionKeys(sessionId);
  return [
    await storedSnapshot(direct, sessionId),
    await direct.hmget(session, 'version', 'head'),
    await direct.lrange(log, 0, -1),
    await direct.lrange(transcript, 0, -1),
    await direct.lrange(inbox, 0, -1),
  ];
}

const loggedOf = (instance: Instance, sessionId: string, words: string): number =>
  instance.logs.filter((line) => line.includes(sessionId) && line.includes(words)).length;

/** A client on the same instance whose answer streams while the other session breaks; the answer must be complete. */
interface Neighbour {
  readonly client: TestClient;
  expectWhole(): Promise<void>;
}

async function neighbourOn(instance: Instance): Promise<Neighbour> {
  const client = await TestClient.greet(instance.url, { after: 0 });
  const content = '[[fault:tokens=120]] I sit beside.';
  client.message('beside', content);
  await client.waitForType('delta');
  return {
    client,
    async expectWhole() {
      const end = await client.completed('beside');
      expect(end.type).toBe('turn.completed');
      const answer = await plainAnswer(simulator.url, [{ role: 'user', content }]);
      expect(client.turnText(end.turn_id)).toBe(answer);
      expect(
        differenceFromLog(client.durable, await storedFrames(direct, client.sessionId), { toTheEnd: false }),
      ).toBeNull();
      client.drop();
    },
  };
}

describe('broken transition', () => {
  it('a session whose transition throws refuses every message and stays unchanged, and other sessions are answered', async () => {
    const instance = fleet.at(0);
    const broken = await TestClient.greet(instance.url, { after: 0 });
    const { sessionId } = broken;
    broken.message('before', 'I was well before.', { options: { max_tokens: 5 } });
    await broken.completed('before');
    await sleeps(sessionId);
    const whole = await storedSnapshot(direct, sessionId);
    // Each field is valid, so the session loads; the machine throws because no turn belongs to the state.
    const jobs = { generation: { src: 'generation', key: '1' } };
    const poison = JSON.stringify({ ...JSON.parse(whole), value: { processing: 'generating' }, jobs });
    await storeSnapshot(direct, sessionId, poison);
    const before = await kept(sessionId);
    const neighbour = await neighbourOn(instance);

    for (const policy of ['interrupt', 'rollback', 'interrupt']) {
      const id = `to-${policy}-${broken.frames.length}`;
      broken.message(id, 'Can you hear me?', { policy });
      expect((await broken.refused(id)).code).toBe('internal');
      expect(broken.isOpen).toBe(true);
      expect(await kept(sessionId)).toEqual(before);
    }
    expect(loggedOf(instance, sessionId, '"step failed"')).toBeGreaterThanOrEqual(3);
    await neighbour.expectWhole();
    expect(await metric(instance.http, 'rehydra_actors_stopped_total', { reason: 'crashed' })).toBe(0);

    await sleeps(sessionId);
    await storeSnapshot(direct, sessionId, whole);
    broken.message('again', 'And now?', { options: { max_tokens: 5 } });
    expect((await broken.completed('again')).type).toBe('turn.completed');
    expect(
      differenceFromLog(broken.durable, await storedFrames(direct, sessionId), { toTheEnd: false }),
    ).toBeNull();
    broken.drop();
  });
});

describe('junk on channels', () => {
  it('an instance ignores junk on its own channel and on session channels, and its sessions continue', async () => {
    const instance = fleet.at(0);
    const neighbour = await neighbourOn(instance);
    const { sessionId } = neighbour.client;
    const junk = [
      '',
      'x',
      'm',
      'e',
      `e${sessionId}`,
      `e${sessionId}\n`,
      `e${sessionId}\n{`,
      ...['null', '1', '{}', '[null]', '[{}]', '[{"offset":"1","data":1}]', '[{"offset":1,"data":"{"}]'].map(
        (frames) => `e${sessionId}\n${frames}`,
      ),
      `e${sessionId}\n[{"offset":1,"data":"null"}]`,
      '{"kind":"release"}',
      `{"kind":"refused","sessionId":"${sessionId}","connection":"","code":"nonsense"}`,
    ];
    for (const payload of junk) {
      await direct.call('SPUBLISH', sessionKeys(sessionId).channel, payload);
      await direct.call('SPUBLISH', `rehydra:i:${instance.instanceId}`, payload);
    }
    await neighbour.expectWhole();
    expect((await fetch(`${instance.http}/healthz`)).status).toBe(200);
    expect(instance.logs.filter((line) => /uncaughtException|unhandledRejection/.test(line))).toEqual([]);
  });
});

describe('unreadable running turn', () => {
  it('a session whose running turn is unreadable is refused by its next owner, which finishes the other turns of the dead instance', async () => {
    const [owner, heir] = [fleet.at(0), fleet.at(1)];
    const content = '[[fault:tokens=120]] It began yesterday.';
    const broken = await TestClient.greet(owner.url, { after: 0 });
    const { sessionId } = broken;
    broken.message('cut', content);
    const neighbour = await TestClient.greet(owner.url, { after: 0 });
    neighbour.message('beside', content);
    await Promise.all([broken, neighbour].map((client) => client.waitForType('delta')));
    // The heir must not claim the sessions before the log is torn.
    heir.kill('SIGSTOP');
    await fleet.kill(0);
    const { session, log } = sessionKeys(sessionId);
    // Each claim increments the epoch, so the epoch counts the attempts.
    const attempts = async (): Promise<number> => Number(await direct.hget(session, 'epoch'));
    const elements = await direct.lrange(log, 0, -1);
    const { elements: tornElements } = elementsOf(
      framesOf(1, elements).map((frame) =>
        frame.type === 'delta' ? { ...frame, data: '{"type":"delta",' } : frame,
      ),
    );
    const write = async (torn: boolean): Promise<void> => {
      await direct
        .multi()
        .del(log)
        .rpush(log, ...(torn ? tornElements : elements))
        .exec();
    };
    await write(true);
    const before = await kept(sessionId);
    const attemptsBefore = await attempts();
    heir.kill('SIGCONT');

    await until(async () => (await attempts()) > attemptsBefore + 1, 'several attempts');
    // A connection has three frames for its hello.
    const refused = await TestClient.open(heir.url);
    for (let times = 0; times < 3; times += 1) {
      refused.send({ type: 'hello', session_id: sessionId });
      expect((await refused.waitForType('error')).code).toBe('internal');
    }
    expect(await kept(sessionId)).toEqual(before);
    expect(loggedOf(heir, sessionId, 'cannot be read')).toBe(1);
    const reader = await TestClient.greet(heir.url, { session_id: neighbour.sessionId, after: 0 });
    const end = await reader.completed('beside');
    const answer = await plainAnswer(simulator.url, [{ role: 'user', content }]);
    expect(reader.turnText(end.turn_id)).toBe(answer);

    await write(false);
    const returning = await TestClient.greet(heir.url, { session_id: sessionId, after: 0 });
    const { turn_id } = await returning.completed('cut');
    expect(returning.turnText(turn_id)).toBe(answer);
    for (const client of [refused, returning, reader]) client.drop();
  });
});
