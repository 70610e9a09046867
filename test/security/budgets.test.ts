/** What one user may cost: a message beyond a budget gets its typed error, on a socket and over HTTP, on every instance. */
import { performance } from 'node:perf_hooks';
import { afterEach, describe, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { post, problemOf, type Reply } from '../support/instance/http.ts';
import { type Environment, type Instance, startInstance } from '../support/instance/instance.ts';
import { metric } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

const [redis] = started(startRedis);
const running: Instance[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((instance) => instance.stop()));
});

async function start(environment: Environment): Promise<Instance> {
  const instance = await startInstance({ SIMULATOR_TOKENS: '16', ...environment });
  running.push(instance);
  return instance;
}

const SLOW = { SIMULATOR_TOKENS: '4000', SIMULATOR_TOKENS_PER_SECOND: '20' } as const;
const FAST = { SIMULATOR_TOKENS_PER_SECOND: '0' } as const;

const turn = (instance: Instance, user_id: string): Promise<Reply> =>
  post(`${instance.http}/api/protocol`, { user_id, chief_complaint: 'cough' });
const limited = (instance: Instance, limit: string) =>
  metric(instance.http, 'rehydra_rate_limited_total', { limit });

/** A client whose answer runs, and goes on running. */
async function asking(instance: Instance, user_id: string): Promise<TestClient> {
  const client = await TestClient.greet(instance.url, { user_id, after: 0 });
  client.message('m', 'Good morning');
  await client.waitForType('turn.started');
  return client;
}

describe('running answers', () => {
  it.each([
    ['TURNS_PER_USER_MAX', 'ada', 'bob'],
    ['TURNS_PER_TENANT_MAX', 'bob', null],
  ])(
    'beyond %s a message is refused with too_many_turns on a socket and over HTTP, until an answer ends',
    async (limit, refusedUser, otherUser) => {
      const instance = await start({ ...SLOW, [limit]: '2' });
      const [first, second] = [await asking(instance, 'ada'), await asking(instance, 'ada')];
      const third = await TestClient.greet(instance.url, { user_id: refusedUser, after: 0 });
      third.message('n', 'Good morning');
      expect(await third.refused('n')).toMatchObject({ code: 'too_many_turns', retryable: true });
      const reply = await turn(instance, refusedUser);
      expect([reply.status, problemOf(reply).code]).toEqual([429, 'too_many_turns']);
      expect(reply.headers.get('retry-after')).toBe('1');
      if (otherUser !== null) await asking(instance, otherUser);
      first.send({ type: 'cancel' });
      await first.completed('m');
      third.message('n', 'Good morning');
      await third.waitForType('turn.started');
      expect(second.isOpen && third.isOpen).toBe(true);
      expect(await limited(instance, 'turns')).toBe(2);
    },
  );
});

describe('tokens of a day', () => {
  it.each([
    ['TOKENS_PER_USER_PER_DAY', 'ada', 'bob'],
    ['TOKENS_PER_TENANT_PER_DAY', 'bob', null],
  ])(
    'beyond %s a message is refused with token_budget_spent on every instance, a restarted one included',
    async (limit, refusedUser, otherUser) => {
      const environment = { ...FAST, REDIS_URL: redis.url, [limit]: '10' };
      const one = await start(environment);
      expect((await turn(one, 'ada')).status).toBe(200);
      const two = await start(environment);
      for (const instance of [one, two]) {
        const reply = await turn(instance, refusedUser);
        expect([reply.status, problemOf(reply).code]).toEqual([429, 'token_budget_spent']);
        const untilMidnight = 86_400 - (Math.floor(Date.now() / 1_000) % 86_400);
        expect(Number(reply.headers.get('retry-after'))).toBeLessThanOrEqual(untilMidnight + 60);
        const client = await TestClient.greet(instance.url, { user_id: refusedUser });
        client.message('m', 'Good morning');
        const error = await client.refused('m');
        expect(error).toMatchObject({ code: 'token_budget_spent', retryable: true });
        expect(error.retry_after_ms).toBeGreaterThan(0);
        expect(client.isOpen).toBe(true);
        expect(await limited(instance, 'tokens')).toBe(2);
      }
      if (otherUser !== null) expect((await turn(two, otherUser)).status).toBe(200);
    },
  );
});

describe('one abuser', () => {
  const HONEST = 10;
  const TURNS = 6;

  /** Each honest user takes its turns one after the other; resolves with the ms of each turn, sorted. */
  async function honestTurns(instance: Instance): Promise<readonly number[]> {
    const durations: number[] = [];
    const user = async (n: number) => {
      const client = await TestClient.greet(instance.url, { user_id: `honest ${n}`, after: 0 });
      for (let time = 0; time < TURNS; time += 1) {
        const startedMs = performance.now();
        await client.ask(`m${time}`, 'Good morning');
        durations.push(performance.now() - startedMs);
      }
      client.drop();
    };
    await Promise.all(Array.from({ length: HONEST }, (_, n) => user(n)));
    return durations.toSorted((a, b) => a - b);
  }

  it('a user that floods with messages in fifty sessions is refused nearly all of them, and every honest user gets every answer', async () => {
    const instance = await start({
      SIMULATOR_TOKENS_PER_SECOND: '400',
      RATE_MESSAGES_PER_MINUTE: '120',
      TURNS_PER_USER_MAX: '4',
    });
    const alone = await honestTurns(instance);
    const flood = await Promise.all(
      Array.from({ length: 50 }, () => TestClient.greet(instance.url, { user_id: 'eve', after: 0 })),
    );
    let sent = 0;
    const pump = setInterval(() => {
      for (const client of flood) {
        client.message(`f${sent}`, 'x'.repeat(1_000));
        sent += 1;
      }
    }, 10);
    const beside = await honestTurns(instance);
    clearInterval(pump);

    expect(alone).toHaveLength(HONEST * TURNS);
    expect(beside).toHaveLength(HONEST * TURNS);
    const median = (durations: readonly number[]) =>
      durations[Math.floor(durations.length / 2)] ?? Number.NaN;
    const [before, during] = [median(alone), median(beside)];
    process.stdout.write(
      `one abuser, ${sent} messages: an honest turn takes ${during.toFixed(0)} ms instead of ${before.toFixed(0)} ms, ` +
        `${(during / before).toFixed(2)} times as long\n`,
    );
    const answered = flood.flatMap(({ frames }) => frames.filter(({ type }) => type === 'turn.started'));
    expect(sent).toBeGreaterThan(500);
    expect(answered.length).toBeLessThanOrEqual(120);
    for (const client of flood) client.drop();
  });
});
