/** Two hundred clients stream answers over lines that are down for two seconds of every five, for a minute. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { sessionKeys } from '../../src/store/redis/keys.ts';
import { startSimulatorProcess } from '../support/instance/instance.ts';
import { startProxy, type TcpProxy } from '../support/instance/proxy.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';
import { lostTurns, talk, wronglyTurned, wrongTexts } from './chaos/crowd.ts';
import { inParallel, seeded, tell, until } from './chaos/figures.ts';
import { startFleet } from './chaos/fleet.ts';
import { differenceFromLog, storedFrames } from './chaos/oracle.ts';

const CLIENTS = 200;
/** Each line carries a share of the clients; the lines fail at different moments. */
const LINES = 10;
const MINUTE_MS = 60_000;
const EVERY_MS = 5_000;
const DROPPED_MS = 2_000;

const [redis, simulator] = started(startRedis, () =>
  startSimulatorProcess({ SIMULATOR_TOKENS: '60', SIMULATOR_TOKENS_PER_SECOND: '10' }),
);
const [fleet] = started(() => startFleet(2, () => ({ REDIS_URL: redis.url, VLLM_BASE_URL: simulator.url })));
const lines = started(
  ...Array.from({ length: LINES }, (_, index) => () => startProxy(fleet.at(index % 2).port)),
);

async function fail(line: TcpProxy, index: number, until: number): Promise<number> {
  let drops = 0;
  await sleep((index * EVERY_MS) / LINES);
  while (Date.now() < until) {
    line.refuse(true);
    line.cut();
    drops += 1;
    await sleep(DROPPED_MS);
    line.refuse(false);
    await sleep(EVERY_MS - DROPPED_MS);
  }
  return drops;
}

it('two hundred clients with a line that fails for 2 s of every 5 get every frame, in order, exactly once', async () => {
  const random = seeded(7);
  const endsAt = Date.now() + MINUTE_MS;
  const talks = Array.from({ length: CLIENTS }, (_, index) =>
    talk({
      urls: [`ws://127.0.0.1:${lines[index % LINES]?.port}/v1/session`],
      random,
      pauseMs: 500,
      goesOn: () => Date.now() < endsAt,
    }),
  );
  const drops = await Promise.all(lines.map((line, index) => fail(line, index, endsAt)));
  const talkers = await Promise.all(talks.map(({ finished }) => finished));

  const direct = new Redis(redis.port, '127.0.0.1');
  // A line may fail once more after its client's last answer; the frames of that reconnect are still to arrive.
  for (const { client } of talkers) {
    const head = async (): Promise<number> =>
      Number(await direct.hget(sessionKeys(client.sessionId).session, 'head'));
    const isThere = async () => client.session.connected && client.offset >= (await head());
    await until(isThere, `${client.sessionId} to know all`);
  }
  let logged = 0;
  let shown = 0;
  const wrong = await inParallel(talkers, 16, async ({ client, said }) => {
    const log = await storedFrames(direct, client.sessionId);
    // Where the server chose the session's id, the welcome already covers the first frame.
    const first = client.frames[0]?.offset ?? 1;
    logged += log.length - (first - 1);
    shown += client.frames.length;
    const difference = differenceFromLog(client.frames, log, { toTheEnd: false });
    return [...wronglyTurned(said, log), ...(difference === null ? [] : [difference])];
  });
  direct.disconnect();
  const clients = talkers.map(({ client }) => client);
  const turns = talkers.reduce((sum, talker) => sum + talker.turns.length, 0);
  const reconnects = clients.reduce((sum, { attempts }) => sum + attempts.length - 1, 0);
  tell(`${drops.reduce((sum, count) => sum + count, 0)} drops of ${LINES} lines, ${reconnects} reconnects`);
  tell(`${shown} of ${logged} frames (${((100 * shown) / logged).toFixed(2)} %), ${turns} turns`);

  expect(wrong.flat()).toEqual([]);
  expect(shown).toBe(logged);
  expect(clients.flatMap(({ violations }) => violations)).toEqual([]);
  expect(clients.flatMap(({ resets }) => resets)).toEqual([]);
  expect(lostTurns(talkers)).toEqual([]);
  expect(await wrongTexts(simulator.url, talkers)).toEqual([]);
  for (const client of clients) client.stop();
});
