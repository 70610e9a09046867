/** A fault in one session stays in that session; an unexpected error ends the process in order. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sessionKeys } from '../../src/store/redis/keys.ts';
import { TestClient } from '../support/instance/client.ts';
import { type SimulatorProcess, startSimulatorProcess } from '../support/instance/instance.ts';
import { ReconnectingClient } from '../support/instance/reconnecting-client.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';
import { storedSnapshot, storeSnapshot } from '../support/instance/stored-snapshot.ts';
import { until } from './chaos/figures.ts';
import { type Fleet, startFleet } from './chaos/fleet.ts';
import { differences, exchange } from './chaos/oracle.ts';

let redis: RedisServer;
let direct: Redis;
let simulator: SimulatorProcess;
let fleet: Fleet;

/** Loads a script before the program, so that a signal acts like a bug. */
function preload(body: string): string {
  const script = `process.on('SIGUSR2', () => { ${body} });`;
  return `--import=data:text/javascript,${encodeURIComponent(script)}`;
}

beforeAll(async () => {
  redis = await startRedis();
  direct = new Redis(redis.port, '127.0.0.1');
  simulator = await startSimulatorProcess({ SIMULATOR_TOKENS: '60', SIMULATOR_TOKENS_PER_SECOND: '20' });
  const bugs = [
    preload("setImmediate(() => { throw new Error('unexpected error'); });"),
    preload("void Promise.reject(new Error('unexpected rejection'));"),
  ];
  fleet = await startFleet(3, (index) => ({
    REDIS_URL: redis.url,
    VLLM_BASE_URL: simulator.url,
    DRAIN_MS: '2000',
    ...(bugs[index] === undefined ? {} : { NODE_OPTIONS: bugs[index] }),
  }));
});
afterAll(async () => {
  direct?.disconnect();
  await fleet?.stop();
  await simulator?.stop();
  await redis?.stop();
});

describe('unhandled errors', () => {
  it.each([
    { index: 0, name: 'thrown in a callback', word: 'uncaughtException' },
    { index: 1, name: 'in a rejected promise', word: 'unhandledRejection' },
  ])(
    'an unhandled error $name hands the running turns over and ends the process with code 1',
    async ({ index, word }) => {
      const clients = Array.from(
        { length: 5 },
        () => new ReconnectingClient({ urls: [fleet.urls[index]!, fleet.urls[2]!] }),
      );
      await Promise.all(clients.map((client) => client.welcomed()));
      // Long enough that no answer ends before the handover.
      const long = '[[fault:tokens=240]]';
      const said = clients.map((client, turn) => client.say(`${long} Patient ${turn} of instance ${index}.`));
      await Promise.all(
        clients.map((client, turn) =>
          client.until(() => (client.turnOf(said[turn]!)?.text ?? '') !== '', 'the first token'),
        ),
      );
      fleet.at(index).kill('SIGUSR2');
      expect(await fleet.at(index).exited).toEqual({ code: 1, signal: null });
      const { logs } = fleet.at(index);
      expect(logs.filter((line) => line.includes(word))).toHaveLength(1);
      expect(logs.some((line) => line.includes('"drained"'))).toBe(true);
      expect(logs.filter((line) => line.includes('"sessions released"')).join()).toContain('"handedOver":5');

      const turns = await Promise.all(clients.map((client, turn) => client.answered(said[turn]!)));
      const conversations = turns.map((turn, patient) => [exchange(said[patient]!.content, turn)]);
      expect(await differences(simulator.url, conversations)).toEqual([]);
      expect(clients.flatMap(({ violations }) => violations)).toEqual([]);
      // The instance sends a close frame; it does not cut the sockets.
      expect(clients.map(({ closes }) => closes[0])).toEqual(clients.map(() => 1012));
      for (const client of clients) client.stop();
    },
  );
});

const poisons: readonly string[] = [
  'not JSON',
  '{}',
  '[]',
  'null',
  '"text"',
  '{"event":{"type":"close","at":1,"reason":"because"},"origin":null}',
  '{"event":{"type":"xstate.done.actor.generation","at":1,"output":{}},"origin":null}',
  '{"event":{"type":"message","at":"now","messageId":"p"},"origin":null}',
  `{"event":${'['.repeat(5_000)}${']'.repeat(5_000)}}`,
  '\u0000\ufffd',
];

describe('poisoned inbox', () => {
  it('poison in the inbox of a session changes no session, and the message behind it is answered', async () => {
    const url = fleet.urls[2]!;
    const poisoned = await TestClient.greet(url);
    const neighbour = await TestClient.greet(url);
    const { inbox } = sessionKeys(poisoned.sessionId);
    poisoned.message('before', 'I was well before.');
    neighbour.message('beside', 'I sit beside.');
    await poisoned.waitForType('delta');
    await direct.rpush(inbox, ...poisons);
    const entry = {
      event: {
        type: 'message',
        at: Date.now(),
        messageId: 'behind',
        turnId: 'turn-behind',
        content: 'And I stand behind the poison.',
        policy: 'queue',
        options: {},
      },
      origin: null,
    };
    await direct.rpush(inbox, JSON.stringify(entry));
    expect((await poisoned.completed('before')).type).toBe('turn.completed');
    expect((await poisoned.completed('behind')).type).toBe('turn.completed');
    expect((await neighbour.completed('beside')).type).toBe('turn.completed');
    await until(async () => (await direct.llen(inbox)) === 0, 'the inbox to be empty');

    poisoned.message('after', 'I am well again.');
    expect((await poisoned.completed('after')).type).toBe('turn.completed');
    const offsets = poisoned.offsets();
    expect(offsets).toEqual(offsets.map((_, index) => offsets[0]! + index));
    expect(poisoned.frames.filter(({ type }) => type === 'error')).toEqual([]);
    expect(poisoned.isOpen && neighbour.isOpen).toBe(true);
    for (const client of [poisoned, neighbour]) client.drop();
  });

  it('poison in the inbox of a hibernated session does not keep the session from waking', async () => {
    const client = await TestClient.greet(fleet.urls[2]!);
    const keys = sessionKeys(client.sessionId);
    await until(async () => (await direct.exists(keys.lock)) === 0, 'the session to sleep');
    await direct.rpush(keys.inbox, ...poisons);
    client.message('good', 'Good morning.');
    expect((await client.completed('good')).type).toBe('turn.completed');
    expect(client.isOpen).toBe(true);
    client.drop();
  });
});

describe('unreadable state', () => {
  it('a session whose stored state is unreadable is refused, and other sessions are answered', async () => {
    const url = fleet.urls[2]!;
    const broken = await TestClient.greet(url);
    const neighbour = await TestClient.greet(url);
    const keys = sessionKeys(broken.sessionId);
    await until(async () => (await direct.exists(keys.lock)) === 0, 'the session to sleep');
    const whole = await storedSnapshot(direct, broken.sessionId);
    for (const snapshot of ['', 'null', '{', '{"machine":"session","machineVersion":1}']) {
      await storeSnapshot(direct, broken.sessionId, snapshot);
      const id = `to-${snapshot.length}`;
      broken.message(id, 'Can you read this?');
      expect((await broken.refused(id)).code).toBe('internal');
    }
    neighbour.message('beside', 'I sit beside.');
    expect((await neighbour.completed('beside')).type).toBe('turn.completed');

    // The instance did not overwrite the state: once repaired, the session continues.
    await storeSnapshot(direct, broken.sessionId, whole);
    broken.message('again', 'And now?');
    expect((await broken.completed('again')).type).toBe('turn.completed');
    for (const client of [broken, neighbour]) client.drop();
  });
});
