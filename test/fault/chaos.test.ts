/**
 * Many clients talk while instances are killed, paused and drained, Redis is paused, and lines are cut or go silent.
 * The schedule is drawn from a seed. CHAOS_SEED repeats a run, CHAOS_MS makes it longer.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { startSimulatorProcess } from '../support/instance/instance.ts';
import { startProxy } from '../support/instance/proxy.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';
import { lostTurns, talk, wronglyTurned, wrongTexts } from './chaos/crowd.ts';
import { chaosSeed, inParallel, seeded, tell } from './chaos/figures.ts';
import { startFleet } from './chaos/fleet.ts';
import { differenceFromLog, storedFrames } from './chaos/oracle.ts';
import { plan, spoken, type Trouble } from './chaos/schedule.ts';

const CLIENTS = 60;
const INSTANCES = 3;
const CHAOS_MS = Number(process.env.CHAOS_MS ?? 70_000);
const [redis, simulator] = started(
  () => startRedis({ appendonly: 'everysec' }),
  () => startSimulatorProcess({ SIMULATOR_TOKENS: '60', SIMULATOR_TOKENS_PER_SECOND: '15' }),
);
const environment = () => ({ REDIS_URL: redis.url, VLLM_BASE_URL: simulator.url, DRAIN_MS: '4000' });
const [fleet] = started(() => startFleet(INSTANCES, environment));
const lines = started(
  ...Array.from({ length: INSTANCES }, (_, index) => () => startProxy(fleet.at(index).port)),
);

/**
 * The plan keeps troubles of one kind apart by time. On a slow machine the next one waits for the end of the last:
 * two troubles on one instance at a time would leak processes.
 */
const turnstiles = new Map<string, Promise<void>>();
function inTurn(kind: string, task: () => Promise<void>): Promise<void> {
  const turn = (turnstiles.get(kind) ?? Promise.resolve()).then(task);
  turnstiles.set(kind, turn);
  return turn;
}

function kindOf(trouble: Trouble): string {
  if (trouble.kind === 'redis-stop') return 'redis';
  return 'instance' in trouble ? 'instances' : `line ${trouble.line}`;
}

async function cause(trouble: Trouble): Promise<void> {
  switch (trouble.kind) {
    case 'kill':
      await fleet.kill(trouble.instance);
      await sleep(trouble.downMs);
      await fleet.revive(trouble.instance);
      return;
    case 'drain':
      await fleet.drain(trouble.instance);
      await fleet.revive(trouble.instance);
      return;
    case 'stop':
      fleet.at(trouble.instance).kill('SIGSTOP');
      await sleep(trouble.forMs);
      fleet.at(trouble.instance).kill('SIGCONT');
      return;
    case 'redis-stop':
      await redis.kill('SIGSTOP');
      await sleep(trouble.forMs);
      await redis.kill('SIGCONT');
      return;
    case 'cut':
      lines[trouble.line]!.cut();
      return;
    case 'half-open':
      // The proxy holds the bytes back and then drops them: neither side notices before the cut.
      lines[trouble.line]!.pause();
      await sleep(trouble.forMs);
      lines[trouble.line]!.cut();
      lines[trouble.line]!.resume();
      return;
  }
}

it('after kills, drains, pauses and cut lines every client shows exactly the text that the simulator generates for its conversation', async () => {
  const seed = chaosSeed();
  const random = seeded(seed);
  const planned = plan(random, INSTANCES, CHAOS_MS);
  tell(`CHAOS_SEED=${seed}: ${planned.length} troubles in ${CHAOS_MS / 1_000} s`);
  const endsAt = Date.now() + CHAOS_MS + 5_000;
  const talks = Array.from({ length: CLIENTS }, (_, index) =>
    talk({
      urls: lines.map((_, turn) => `ws://127.0.0.1:${lines[(index + turn) % INSTANCES]?.port}/v1/session`),
      random: seeded(seed + 1 + index),
      pauseMs: 1_500,
      goesOn: ({ turns }) => Date.now() < endsAt || turns.length === 0,
    }),
  );
  const startedMs = Date.now();
  const causing = planned.map(async ({ atMs, trouble }) => {
    await sleep(startedMs + atMs - Date.now());
    await inTurn(kindOf(trouble), () => cause(trouble));
  });
  const schedule = planned.map(spoken).join('\n');
  await Promise.all(causing);
  const talkers = await Promise.all(talks.map(({ finished }) => finished)).catch((error: unknown) => {
    throw new Error(`CHAOS_SEED=${seed}\n${schedule}`, { cause: error });
  });

  const direct = new Redis(redis.port, '127.0.0.1');
  const wrong = await inParallel(talkers, 16, async ({ client, said }) => {
    const log = await storedFrames(direct, client.sessionId);
    const difference = differenceFromLog(client.frames, log, { toTheEnd: false });
    return [
      ...wronglyTurned(said, log),
      ...(difference === null ? [] : [`${client.sessionId} ${difference}`]),
    ];
  });
  direct.disconnect();
  const clients = talkers.map(({ client }) => client);
  const turns = talkers.reduce((sum, talker) => sum + talker.turns.length, 0);
  const resumed = clients.flatMap(({ frames }) =>
    frames.filter((frame) => frame.type === 'turn.completed' && frame.metadata.resumed > 0),
  ).length;
  const reconnects = clients.reduce((sum, { attempts }) => sum + attempts.length - 1, 0);
  tell(`${turns} turns of ${CLIENTS} clients, ${resumed} of them resumed; ${reconnects} reconnects`);
  tell(`${fleet.history.length - INSTANCES} instances were replaced`);
  const repeat = `repeat with CHAOS_SEED=${seed}:\n${schedule}`;
  expect(wrong.flat(), repeat).toEqual([]);
  expect(
    clients.flatMap(({ violations }) => violations),
    repeat,
  ).toEqual([]);
  expect(
    clients.flatMap(({ resets }) => resets.map(({ reason }) => reason)),
    repeat,
  ).toEqual([]);
  expect(lostTurns(talkers), repeat).toEqual([]);
  expect(await wrongTexts(simulator.url, talkers), repeat).toEqual([]);
  for (const client of clients) client.stop();
});
