/** The fleet restarts instance by instance while five hundred clients talk. */
import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { startInstance, startSimulatorProcess } from '../support/instance/instance.ts';
import { metric } from '../support/instance/observed.ts';
import { ReconnectingClient } from '../support/instance/reconnecting-client.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';
import { lostTurns, talk, wronglyTurned, wrongTexts } from './chaos/crowd.ts';
import { inParallel, seeded, tell, until } from './chaos/figures.ts';
import { type Fleet, startFleet } from './chaos/fleet.ts';
import { differenceFromLog, storedFrames } from './chaos/oracle.ts';

const CLIENTS = 500;
const DRAIN_MS = 8_000;
/** After its drain time an instance has this long to close its connections, even on a busy machine. */
const GRACE_MS = 60_000;
const [redis, simulator] = started(startRedis, () =>
  startSimulatorProcess({ SIMULATOR_TOKENS: '30', SIMULATOR_TOKENS_PER_SECOND: '8' }),
);

const environment = () => ({
  REDIS_URL: redis.url,
  VLLM_BASE_URL: simulator.url,
  DRAIN_MS: `${DRAIN_MS}`,
});

describe('rolling restart', () => {
  it('a rolling restart of three instances under five hundred talking clients loses no turn and repeats none', async () => {
    const fleet = await startFleet(3, environment);
    const direct = new Redis(redis.port, '127.0.0.1');
    try {
      await rollUnderLoad(fleet, direct);
    } finally {
      direct.disconnect();
      await fleet.stop();
    }
  });

  it('a second SIGTERM ends a drain that waits for a running turn', async () => {
    const slow = await startSimulatorProcess({ SIMULATOR_TOKENS: '400', SIMULATOR_TOKENS_PER_SECOND: '10' });
    const instance = await startInstance({
      ...environment(),
      VLLM_BASE_URL: slow.url,
      DRAIN_MS: '60000',
    });
    const client = new ReconnectingClient({ urls: [instance.url] });
    try {
      await client.welcomed();
      const said = client.say('This takes long.');
      await client.until(() => (client.turnOf(said)?.text ?? '') !== '', 'the first token');
      instance.kill('SIGTERM');
      await until(() => client.closes.length > 0, 'the instance to close the client’s socket');
      await new Promise((resume) => setTimeout(resume, 1_200));
      expect(instance.logs.some((line) => line.includes('"drained"'))).toBe(false);
      instance.kill('SIGTERM');
      expect(await instance.exited).toEqual({ code: 1, signal: null });
    } finally {
      client.stop();
      await instance.stop();
      await slow.stop();
    }
  });
});

async function rollUnderLoad(fleet: Fleet, direct: Redis): Promise<void> {
  const random = seeded(4);
  let rolling = true;
  const talks = Array.from({ length: CLIENTS }, (_, index) =>
    talk({
      urls: fleet.urls.map((_, turn) => fleet.urls[(index + turn) % fleet.size]!),
      random,
      pauseMs: 2_000,
      goesOn: ({ turns }) => rolling || turns.length === 0,
    }),
  );
  await Promise.all(talks.map(({ talker }) => talker.client.welcomed()));
  const clients = talks.map(({ talker }) => talker.client);
  const firstVisits = clients.map(({ attempts }) => attempts.length);

  for (let index = 0; index < fleet.size; index += 1) {
    const beganMs = Date.now();
    expect(await fleet.drain(index)).toEqual({ code: 0, signal: null });
    const tookMs = Date.now() - beganMs;
    tell(`instance ${index} drained in ${tookMs} ms`);
    expect(fleet.at(index).logs.some((line) => line.includes('"drained"'))).toBe(true);
    expect(tookMs).toBeLessThan(DRAIN_MS + GRACE_MS);
    await fleet.revive(index);
    await until(async () => (await fetch(`${fleet.at(index).http}/readyz`)).status === 200, 'readiness');
  }
  rolling = false;
  const talkers = await Promise.all(talks.map(({ finished }) => finished));

  expect(lostTurns(talkers)).toEqual([]);
  expect(clients.flatMap(({ violations }) => violations)).toEqual([]);
  expect(clients.flatMap(({ resets }) => resets.map(({ reason }) => reason))).toEqual([]);
  for (const client of clients) await client.welcomed();
  expect(await wrongTexts(simulator.url, talkers)).toEqual([]);
  const misturned = await inParallel(talkers, 16, async ({ client, said }) => {
    const log = await storedFrames(direct, client.sessionId);
    const difference = differenceFromLog(client.frames, log, { toTheEnd: false });
    return [...wronglyTurned(said, log), ...(difference === null ? [] : [difference])];
  });
  expect(misturned.flat()).toEqual([]);

  const returns = clients.map(({ attempts }, index) => attempts.slice(firstVisits[index]));
  const moreThanOne = returns.filter((attempts) => attempts.some((dials) => dials > 1)).length;
  const turns = talkers.reduce((sum, talker) => sum + talker.turns.length, 0);
  const moves = returns.reduce((sum, attempts) => sum + attempts.length, 0);
  tell(`${turns} turns of ${CLIENTS} clients: none lost, none doubled; ${moves} reconnects`);
  tell(`clients that needed more than one attempt: ${((100 * moreThanOne) / CLIENTS).toFixed(1)} %`);
  for (const client of clients) client.stop();
  await until(
    async () => (await metric(fleet.at(0).http, 'rehydra_connections')) === 0,
    'every socket to be gone',
  );
}
