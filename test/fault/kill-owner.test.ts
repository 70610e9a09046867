/**
 * SIGKILL ends the owner of running turns, at a random token of each turn. The turns of a round start at different
 * moments, so that one kill hits each turn at its own seeded token.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/simulator.ts';
import { plainAnswer } from '../support/instance/observed.ts';
import { ReconnectingClient } from '../support/instance/reconnecting-client.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';
import { between, percentile, seeded, tell, until } from './chaos/figures.ts';
import { type Fleet, startFleet } from './chaos/fleet.ts';
import { differences, type Exchange, exchange } from './chaos/oracle.ts';

const SEED = 20_611;
const LEASE_MS = 3_000;
const SESSIONS = 50;
/** Far more tokens than the clients see before the kill: a busy machine may kill late. */
const TOKENS = 240;
const TOKENS_PER_SECOND = 30;
const LAST_CUT = 100;
const random = seeded(SEED);

interface Round {
  readonly name: string;
  readonly simulator: SimulatorOptions;
  /** True where a second client had a socket on the other instance when the owner died. */
  readonly watches: (index: number) => boolean;
}

const rounds: readonly Round[] = [
  { name: 'by token ids, resumed elsewhere', simulator: {}, watches: () => false },
  { name: 'by token ids, watched elsewhere', simulator: {}, watches: () => true },
  { name: 'by text', simulator: { tokenIds: false }, watches: (index) => index % 2 === 0 },
  {
    name: 'by token ids, with a template that would trim and re-tokenise text',
    simulator: { trimContinuation: true, retokenise: true },
    watches: (index) => index % 2 === 0,
  },
];

let redis: RedisServer;
const waitsMs: number[] = [];
/** How much of each answer the client had when the owner died, in UTF-16 units. */
const cuts: number[] = [];
let resumed = 0;

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(async () => {
  await redis?.stop();
  const p50 = percentile(waitsMs, 0.5);
  const p99 = percentile(waitsMs, 0.99);
  const limit = LEASE_MS + 1_000;
  tell(`seed ${SEED}: ${resumed} of ${rounds.length * SESSIONS} killed turns went on byte-exact`);
  tell(
    `cut after ${Math.min(...cuts)} to ${Math.max(...cuts)} characters, ${new Set(cuts).size} different places`,
  );
  tell(`from kill to the next token: p50 ${p50} ms, p99 ${p99} ms, longest ${Math.max(...waitsMs)} ms`);
  tell(`p99 ≤ LEASE_MS + 1 s (${limit} ms): ${p99 <= limit ? 'held' : 'NOT held'}`);
});

describe('killed owner', () => {
  it.each(rounds)(
    'an owner that is killed in mid-answer loses no byte, no offset and no turn ($name)',
    async (round) => {
      const simulator = await startSimulator({
        tokens: TOKENS,
        tokensPerSecond: TOKENS_PER_SECOND,
        ...round.simulator,
      });
      const fleet = await startFleet(2, () => ({
        REDIS_URL: redis.url,
        VLLM_BASE_URL: simulator.url,
        LEASE_MS: `${LEASE_MS}`,
      }));
      try {
        await killMidTurn(round, fleet, simulator);
      } finally {
        await fleet.stop();
        await simulator.close();
      }
    },
  );
});

async function killMidTurn(round: Round, fleet: Fleet, simulator: Simulator): Promise<void> {
  const sessions = Array.from({ length: SESSIONS }, () => ({
    id: randomUUID(),
    cutAt: between(random, 1, LAST_CUT),
  }));
  const talkers = sessions.map(
    ({ id }) => new ReconnectingClient({ urls: fleet.urls, sessionId: id, random }),
  );
  await Promise.all(talkers.map((talker) => talker.welcomed()));
  // An earlier exchange, so that the answer that is cut continues a conversation.
  const first = talkers.map((talker, index) => talker.say(`My pain is number ${index}.`, { maxTokens: 8 }));
  await Promise.all(talkers.map((talker, index) => talker.answered(first[index]!)));
  const watchers: (ReconnectingClient | null)[] = sessions.map(() => null);

  const second = await Promise.all(
    talkers.map(async (talker, index) => {
      const { cutAt } = sessions[index]!;
      await new Promise((resume) => setTimeout(resume, ((LAST_CUT - cutAt) * 1000) / TOKENS_PER_SECOND));
      const said = talker.say(`It began ${index} days ago, and my chest feels tight.`);
      if (!round.watches(index)) return said;
      // A client that attaches to a quiet session moves it to its own instance, so watchers attach during the turn.
      await talker.until(() => (talker.turnOf(said)?.text ?? '') !== '', 'the first token');
      watchers[index] = new ReconnectingClient({
        urls: [fleet.urls[1]!],
        sessionId: talker.sessionId,
        after: 0,
        random,
      });
      return said;
    }),
  );
  await Promise.all(watchers.map((watcher) => watcher?.welcomed()));
  const told = (talker: ReconnectingClient, index: number): string =>
    talker.turnOf(second[index]!)?.text ?? '';
  await until(
    () => talkers.every((talker, index) => told(talker, index) !== ''),
    'every client to have text',
    {
      everyMs: 5,
    },
  );
  // The turn that began first reaches its cut now, and so do the others.
  const whole = await plainAnswer(simulator.url, [{ role: 'user', content: second[0]!.content }]);
  const cutAt = (whole.length * LAST_CUT) / TOKENS;
  const longest = (): number => Math.max(...talkers.map((talker, index) => told(talker, index).length));
  await until(() => longest() >= cutAt * 0.9, 'the moment to kill', { everyMs: 5 });
  const running = talkers.map((talker, index) => talker.turnOf(second[index]!)?.outcome.kind === 'running');
  cuts.push(...talkers.map((talker, index) => told(talker, index).length));
  const killedAtMs = Date.now();
  await fleet.kill(0);
  expect(running.every(Boolean), 'a turn had ended before the kill').toBe(true);

  const turns = await Promise.all(talkers.map((talker, index) => talker.answered(second[index]!, 60_000)));
  for (const [index, watcher] of watchers.entries()) await watcher?.answered(second[index]!, 60_000);
  for (const [index, talker] of talkers.entries()) {
    const seenBy = watchers[index] ?? talker;
    const next = seenBy.arrivals.find(({ atMs, type }) => atMs > killedAtMs + 50 && type === 'delta');
    if (next !== undefined) waitsMs.push(next.atMs - killedAtMs);
  }

  const everyClient = [...talkers, ...watchers.filter((watcher) => watcher !== null)];
  expect(everyClient.flatMap(({ violations }) => violations)).toEqual([]);
  expect(everyClient.flatMap(({ resets }) => resets)).toEqual([]);
  const conversations = talkers.map((talker, index): readonly Exchange[] => [
    exchange(first[index]!.content, talker.turnOf(first[index]!)!, 8),
    exchange(second[index]!.content, turns[index]!),
  ]);
  expect(await differences(simulator.url, conversations)).toEqual([]);
  for (const [index, watcher] of watchers.entries())
    if (watcher !== null) expect(watcher.turnOf(second[index]!)?.text).toBe(turns[index]!.text);
  for (const [index, talker] of talkers.entries()) {
    const id = second[index]!.id;
    const ended = talker.frames.filter((frame) => frame.type === 'turn.completed' && frame.message_id === id);
    expect(ended).toHaveLength(1);
    if (ended[0]?.type === 'turn.completed') expect(ended[0].metadata.resumed).toBeGreaterThanOrEqual(1);
    resumed += 1;
  }
  for (const client of everyClient) client.stop();
}
