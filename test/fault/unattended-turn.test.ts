/** Every client disconnects and then the owner dies in mid-turn: another instance still finishes the answer. */
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type SimulatorProcess, startSimulatorProcess } from '../support/instance/instance.ts';
import { metric } from '../support/instance/observed.ts';
import { ReconnectingClient } from '../support/instance/reconnecting-client.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';
import { tell, until } from './chaos/figures.ts';
import { type Fleet, startFleet } from './chaos/fleet.ts';
import { differenceFromLog, differences, exchange, storedFrames } from './chaos/oracle.ts';

const SESSIONS = 20;
let redis: RedisServer;
let simulator: SimulatorProcess;
let fleet: Fleet;
let direct: Redis;

beforeAll(async () => {
  redis = await startRedis();
  direct = new Redis(redis.port, '127.0.0.1');
  simulator = await startSimulatorProcess({ SIMULATOR_TOKENS: '250', SIMULATOR_TOKENS_PER_SECOND: '25' });
  fleet = await startFleet(2, () => ({
    REDIS_URL: redis.url,
    VLLM_BASE_URL: simulator.url,
    LEASE_MS: '1500',
  }));
});
afterAll(async () => {
  direct?.disconnect();
  await fleet?.stop();
  await simulator?.stop();
  await redis?.stop();
});

const ended = async (sessionId: string): Promise<boolean> =>
  (await storedFrames(direct, sessionId)).some((frame) => frame.startsWith('{"type":"turn.completed"'));

it('a turn whose owner dies with no client connected is finished by another instance, and a later client reads it complete', async () => {
  const ids = Array.from({ length: SESSIONS }, () => randomUUID());
  const talkers = ids.map((sessionId) => new ReconnectingClient({ urls: [fleet.urls[0]!], sessionId }));
  await Promise.all(talkers.map((talker) => talker.welcomed()));
  const said = talkers.map((talker, index) => talker.say(`Question ${index}, and then I am gone.`));
  await Promise.all(
    talkers.map((talker, index) =>
      talker.until(() => (talker.turnOf(said[index]!)?.text ?? '').length > 5 * (index + 1), 'some text'),
    ),
  );
  for (const talker of talkers) talker.stop();
  await until(
    async () => (await metric(fleet.at(0).http, 'rehydra_connections')) === 0,
    'every socket to be gone',
  );
  const before = await Promise.all(ids.map(ended));
  await fleet.kill(0);
  expect(before.every((isOver) => !isOver)).toBe(true);

  // No client asks for these sessions: the other instance continues them on its own.
  await until(async () => (await Promise.all(ids.map(ended))).every(Boolean), 'every turn to end');
  expect(await metric(fleet.at(1).http, 'rehydra_connections')).toBe(0);

  const readers = ids.map(
    (sessionId) => new ReconnectingClient({ urls: [fleet.urls[1]!], sessionId, after: 0 }),
  );
  const turns = await Promise.all(readers.map((reader, index) => reader.answered(said[index]!)));
  expect(turns.map(({ outcome }) => outcome.kind)).toEqual(ids.map(() => 'completed'));
  const conversations = turns.map((turn, index) => [exchange(said[index]!.content, turn)]);
  expect(await differences(simulator.url, conversations)).toEqual([]);
  for (const reader of readers) {
    expect(reader.violations).toEqual([]);
    const log = await storedFrames(direct, reader.sessionId);
    expect(differenceFromLog(reader.frames, log, { toTheEnd: false })).toBeNull();
    reader.stop();
  }
  tell(`${SESSIONS} turns were finished with no client connected`);
});
