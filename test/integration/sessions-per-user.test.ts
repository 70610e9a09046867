/** The limit of sessions per user holds over all instances, by socket and by HTTP, and never ends a living session. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { newIdentities } from '../support/instance/identities.ts';
import { type Instance, startInstance } from '../support/instance/instance.ts';
import { type RedisWitness, witness } from '../support/instance/observed.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

const MAX = 3;

async function post(instance: Instance, body: Readonly<Record<string, unknown>>) {
  const response = await fetch(`${instance.http}/api/protocol`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ chief_complaint: 'cough', ...body }),
  });
  const answer = (await response.json()) as Readonly<Record<string, unknown>>;
  return { status: response.status, retryAfter: response.headers.get('retry-after'), answer };
}

async function refusedAtHello(instance: Instance, fields: Readonly<Record<string, unknown>>) {
  const client = await TestClient.open(instance.url);
  client.send({ type: 'hello', ...fields });
  return { client, error: await client.waitForType('error') };
}

const TOO_MANY = { code: 'too_many_sessions', retryable: false };

describe('user at the session limit', () => {
  let redis: RedisServer;
  let one: Instance;
  let two: Instance;
  let seen: RedisWitness;

  beforeAll(async () => {
    redis = await startRedis();
    const environment = {
      REDIS_URL: redis.url,
      SESSIONS_PER_USER_MAX: String(MAX),
      SIMULATOR_TOKENS_PER_SECOND: '0',
    };
    [one, two] = await Promise.all([startInstance(environment), startInstance(environment)]);
    seen = await witness(redis.url);
  });
  afterAll(async () => {
    seen?.stop();
    await Promise.all([one?.stop(), two?.stop()]);
    await redis?.stop();
  });

  /** Opens the user's sessions: one by HTTP and one by a socket to each instance. */
  async function full(userId: string): Promise<readonly [string, TestClient, TestClient]> {
    const { status, answer } = await post(one, { user_id: userId });
    expect(status).toBe(200);
    const here = await TestClient.greet(one.url, { user_id: userId });
    const there = await TestClient.greet(two.url, { user_id: userId });
    return [String(answer.session_id), here, there];
  }

  it('a user at the limit gets no fork from either instance when both are asked for it together', async () => {
    const userId = randomUUID();
    const [sessionId, here, there] = await full(userId);
    const fork = async ({ http }: Instance, id: string) => {
      const headers = { 'content-type': 'application/json' };
      const body = JSON.stringify({ id, user_id: userId });
      const url = `${http}/v1/sessions/${sessionId}/fork`;
      const answer = await fetch(url, { method: 'POST', headers, body });
      const { error } = (await answer.json()) as { readonly error?: { readonly code: string } };
      return error?.code ?? answer.status;
    };
    for (let time = 0; time < 10; time += 1) {
      const asked = [one, two, one, two].map((instance) => fork(instance, `f-${time}`));
      expect(new Set(await Promise.all(asked))).toEqual(new Set([TOO_MANY.code]));
    }
    await Promise.all([here.close(), there.close()]);
  });

  it('a user at the session limit is refused another on every instance, by socket and by HTTP; other users are not', async () => {
    const userId = randomUUID();
    const [, here, there] = await full(userId);
    for (const instance of [one, two]) {
      for (const session_id of [undefined, randomUUID()]) {
        const fields = { user_id: userId, ...(session_id === undefined ? {} : { session_id }) };
        const { client, error } = await refusedAtHello(instance, fields);
        expect(error).toMatchObject(TOO_MANY);
        expect(error.retry_after_ms).toBeUndefined();
        await client.close();
        const { status, retryAfter, answer } = await post(instance, fields);
        expect([status, retryAfter]).toEqual([429, null]);
        expect(answer).toMatchObject({ error: TOO_MANY });
        if (session_id !== undefined)
          expect((await fetch(`${instance.http}/api/session/${session_id}`)).status).toBe(404);
      }
      await (await TestClient.greet(instance.url, { user_id: randomUUID() })).close();
      await (await TestClient.greet(instance.url)).close();
    }
    const listed = await fetch(`${one.http}/api/sessions?user_id=${userId}`);
    expect(await listed.json()).toMatchObject({ count: MAX });
    for (const client of [here, there]) expect(client.isOpen).toBe(true);
  });

  it('a user at the session limit can resume each session on any instance, even on the socket that was refused another', async () => {
    const userId = randomUUID();
    const [first, here, there] = await full(userId);
    for (const instance of [one, two]) {
      for (const session_id of [first, here.sessionId, there.sessionId]) {
        const client = await TestClient.greet(instance.url, { user_id: userId, session_id });
        expect(client.welcome.resumed).toBe(true);
        await client.close();
      }
      expect((await post(instance, { user_id: userId, session_id: first })).status).toBe(200);
    }
    const { client } = await refusedAtHello(one, { user_id: userId });
    expect(await client.hello({ user_id: userId, session_id: first })).toMatchObject({ resumed: true });
    here.message('m', 'Good morning');
    expect(await here.completed('m')).toMatchObject({ type: 'turn.completed' });
  });

  it('a user at the session limit can open another session once one has ended', async () => {
    const userId = randomUUID();
    const [first, here] = await full(userId);
    expect((await post(two, { user_id: userId })).status).toBe(429);
    expect((await fetch(`${two.http}/api/session/${first}`, { method: 'DELETE' })).status).toBe(200);
    await (await TestClient.greet(two.url, { user_id: userId })).close();
    expect((await post(one, { user_id: userId })).status).toBe(429);
    here.send({ type: 'close' });
    expect(await here.closed).toMatchObject({ code: 1000 });
    expect((await post(one, { user_id: userId })).status).toBe(200);
  });

  it('simultaneous requests do not get a user past the session limit', async () => {
    const userId = randomUUID();
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(one, { user_id: userId })));
    const made = answers.filter(({ status }) => status === 200);
    expect(made).toHaveLength(MAX);
    for (const { status, answer } of answers)
      if (status !== 200) expect(answer).toMatchObject({ error: TOO_MANY });
  });

  it('the session limit of a user costs one more call of Redis per new session, none later, and none without a user', async () => {
    // The first EVALSHA of a script may fail because this Redis does not know the script yet.
    await (await TestClient.greet(one.url, { user_id: randomUUID() })).close();
    const calls = async (words: readonly string[]) => {
      await seen.caughtUp();
      return seen.calls.filter((call) => call.some((word) => words.some((part) => word.includes(part))));
    };
    const named = randomUUID();
    const session_id = randomUUID();
    await TestClient.greet(one.url, { session_id, user_id: named });
    const made = (await calls([session_id, named])).filter(
      ([command]) => command?.toLowerCase() === 'evalsha',
    );
    // The claim, the count, the first commit.
    expect(made).toHaveLength(3);
    const before = (await calls([named])).length;
    const client = await TestClient.greet(one.url, { session_id, user_id: named, after: 0 });
    client.message('m', 'Good morning');
    await client.completed('m');
    const counts = (await calls([named]))
      .slice(before)
      .filter((call) => !call.some((word) => word.includes(session_id)));
    expect(counts).toEqual([]);
    const anonymous = randomUUID();
    await TestClient.greet(one.url, { session_id: anonymous });
    expect(
      (await calls([anonymous])).filter(([command]) => command?.toLowerCase() === 'evalsha'),
    ).toHaveLength(2);
  });
});

it('the session limit of a user holds in the embedded store too, and a limit of 0 means none', async () => {
  for (const [max, made] of [
    ['2', [200, 200, 429]],
    ['0', [200, 200, 200]],
  ] as const) {
    const instance = await startInstance({ SESSIONS_PER_USER_MAX: max, SIMULATOR_TOKENS_PER_SECOND: '0' });
    const statuses: number[] = [];
    for (let time = 0; time < 3; time += 1) statuses.push((await post(instance, { user_id: 'ada' })).status);
    expect(statuses).toEqual(made);
    await instance.stop();
  }
});

describe('a stranger at the sessions of a user', () => {
  const identities = newIdentities();
  afterAll(() => identities.close());
  const [redis] = started(startRedis);
  const launch = () =>
    startInstance({
      REDIS_URL: redis.url,
      ...identities.environment,
      SESSIONS_PER_USER_MAX: String(MAX),
      SIMULATOR_TOKENS_PER_SECOND: '0',
    });
  const [one, two] = started(launch, launch);

  it('a stranger who names a user takes none of that user’s sessions, by socket and by HTTP', async () => {
    for (const instance of [one, two]) {
      for (let session = 0; session < MAX; session += 1) {
        const { client, error } = await refusedAtHello(instance, { user_id: 'alice' });
        expect(error.code).toBe('unauthenticated');
        await client.close();
        expect((await post(instance, { user_id: 'alice' })).status).toBe(401);
      }
    }
    const token = await identities.token('alice');
    for (let session = 0; session < MAX; session += 1)
      await (await TestClient.greet(two.url, { token })).close();
    const { error } = await refusedAtHello(one, { token });
    expect(error).toMatchObject(TOO_MANY);
  });
});
