/** `POST /api/protocol` on two instances over Redis: requests it accepts, queues, refuses, and never runs twice. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { ask, type Fields, get, post, problemOf } from '../support/instance/http.ts';
import { type Instance, startInstance, startSimulatorProcess } from '../support/instance/instance.ts';
import { eventually, metric, running } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

const LONG = '[[fault:tps=40,tokens=4000]] a long story';
const SLOW = '[[fault:tps=60,tokens=60]] chest pain';
const SLOWER = '[[fault:tps=60,tokens=300]] chest pain';

const [redis, simulator] = started(startRedis, () =>
  startSimulatorProcess({ SIMULATOR_TOKENS: '24', SIMULATOR_TOKENS_PER_SECOND: '0' }),
);
const launch = () => startInstance({ REDIS_URL: redis.url, VLLM_BASE_URL: simulator.url, QUEUE_MAX: '2' });
const [one, two] = started(launch, launch);

/** Tokens that the model has read so far: the count grows with every generation. */
const promptTokens = (url: string) => metric(url.slice(0, -'/v1'.length), 'vllm:prompt_tokens_total');

const send = (instance: Instance, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  post(`${instance.http}/api/protocol`, body, headers);

/** Opens a session whose running turn ends only when a client cancels it. */
async function busySession(instance: Instance): Promise<{ session_id: string; client: TestClient }> {
  const client = await TestClient.greet(instance.url);
  client.message('long', LONG);
  await client.waitForType('delta');
  return { session_id: client.sessionId, client };
}

describe('request', () => {
  it.each<[string, unknown, string]>([
    ['that is not JSON', '{"age": 45', 'the body is not JSON'],
    ['without a body', '', 'the body is not JSON'],
    ['without a message', { session_id: randomUUID() }, 'chief_complaint: is required'],
    ['with an id that is no UUID', { session_id: 'abc-123', chief_complaint: 'x' }, 'session_id'],
    ['with an unknown field', { chief_complaint: 'x', colour: 'red' }, 'colour'],
    [
      'with a heart that races too much',
      { vitals: { heart_rate: 900 } },
      'vitals.heart_rate: heart_rate must be between 0 and 350 bpm',
    ],
    ['with half a blood pressure', { vitals: { blood_pressure: '120' } }, 'such as "120/80"'],
    ['with a temperature in no unit', { vitals: { temperature: '300 K' } }, 'vitals.temperature'],
    ['with an age of two centuries', { age: 200 }, 'age must be between 0 and 130 years'],
    ['with an unknown policy', { chief_complaint: 'x', policy: 'overwrite' }, 'policy'],
  ])('a request %s is refused with the reason', async (_, body, words) => {
    const reply = await send(one, body);
    expect(reply.status).toBe(400);
    const problem = problemOf(reply);
    expect(problem).toMatchObject({ code: 'bad_request', retryable: false });
    expect(problem.detail).toContain(words);
  });

  it.each([
    'text/plain',
    'text/plain;charset=UTF-8',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=a',
    'application/jsonp',
    'text/plain; application/json',
    '',
  ])(
    'a JSON request is refused with 415 as content type "%s", which a page of any origin may send',
    async (type) => {
      const reply = await send(one, { chief_complaint: 'chest pain' }, { 'content-type': type });
      expect(reply.status).toBe(415);
      expect(problemOf(reply)).toMatchObject({ code: 'unsupported_media_type', retryable: false });
    },
  );

  it('a JSON request may name its character set', async () => {
    const type = 'application/json; charset=utf-8';
    expect((await send(one, { chief_complaint: 'chest pain' }, { 'content-type': type })).status).toBe(200);
  });

  it('a request of more than a megabyte gets 413', async () => {
    const reply = await send(one, { chief_complaint: 'x'.repeat(1_100_000) });
    expect(reply.status).toBe(413);
    expect(problemOf(reply).request_id).not.toBe('');
  });

  it('a request by another method gets 405 with the allowed method', async () => {
    const reply = await get(`${one.http}/api/protocol`);
    expect(reply.status).toBe(405);
    expect(reply.headers.get('allow')).toBe('POST');
  });

  it('a request can set max_tokens and temperature, and its metadata say what was used', async () => {
    const { metadata } = await ask(one.http, {
      chief_complaint: 'chest pain',
      options: { max_tokens: 5, temperature: 0.1 },
    });
    expect(metadata).toMatchObject({ max_tokens: 5, temperature: 0.1, finish_reason: 'length' });
    expect(metadata.usage.completion_tokens).toBe(5);
    expect(metadata.window).toMatchObject({ turns_in: [metadata.turn_id], turns_out: [] });
  });

  it('a request that the model refuses gets 502 upstream_rejected', async () => {
    const reply = await send(one, { chief_complaint: '[[fault:400]] chest pain' });
    expect(reply.status).toBe(502);
    expect(problemOf(reply)).toMatchObject({ code: 'upstream_rejected', retryable: false });
  });

  it.each([
    ['tokens=0', 'upstream_empty', 502, true],
    ['finish=content_filter', 'content_filtered', 422, false],
    ['page', 'upstream_incompatible', 502, false],
    ['400-context=old,flat', 'context_length_exceeded', 413, false],
  ])(
    'a request whose answer fails by %s gets %s over HTTP, and so does a message on a socket',
    async (fault, code, status, retryable) => {
      const reply = await send(one, { chief_complaint: `[[fault:${fault}]] chest pain` });
      expect(reply.status).toBe(status);
      expect(problemOf(reply)).toMatchObject({ code, retryable });
      const client = await TestClient.greet(one.url);
      client.message('m', `[[fault:${fault}]] chest pain`);
      const frame = await client.waitForType('turn.failed');
      expect(frame).toMatchObject({ error: { code, retryable } });
      client.send({ type: 'close' });
      await client.closed;
    },
  );

  it.each([
    ['empty', 'tokens=0,times=2'],
    ['too long for the model', '400-context=old,flat,times=3'],
  ])('a request whose first answer is %s gets a later one', async (_, fault) => {
    const reply = await ask(one.http, { chief_complaint: `[[fault:${fault}]] chest pain` });
    expect(reply.protocol).toContain('You said');
  });
});

describe('running turn', () => {
  it.each([
    ['the instance that serves it', () => one],
    ['the other instance', () => two],
  ])('a session whose turn runs is busy under the policy reject, on %s', async (_, instance) => {
    const { session_id, client } = await busySession(one);
    const reply = await send(instance(), { session_id, chief_complaint: 'hm', policy: 'reject' });
    expect(reply.status).toBe(429);
    expect(Number(reply.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(problemOf(reply)).toMatchObject({ code: 'session_busy', retryable: true });
    client.send({ type: 'close' });
    await client.closed;
  });

  it('requests to a session whose turn runs wait in order, and one beyond the queue limit gets queue_full', async () => {
    const { session_id, client } = await busySession(one);
    const answers: Promise<number>[] = [];
    for (const instance of [one, two]) {
      answers.push(
        ask(instance.http, { session_id, chief_complaint: `waiting ${answers.length}` }).then(
          ({ metadata }) => metadata.conversation_count,
        ),
      );
      await client.waitForType('message.queued');
    }
    const reply = await send(two, { session_id, chief_complaint: 'one too many' });
    expect(reply.status).toBe(429);
    expect(problemOf(reply).code).toBe('queue_full');
    client.send({ type: 'cancel' });
    expect(await Promise.all(answers)).toEqual([2, 3]);
    await client.close();
  });

  it('a request whose turn another client cancels gets turn_cancelled', async () => {
    const session_id = randomUUID();
    const client = await TestClient.greet(one.url, { session_id });
    const reply = send(two, { session_id, chief_complaint: LONG });
    await client.waitForType('delta');
    client.send({ type: 'cancel' });
    expect(problemOf(await reply)).toMatchObject({ code: 'turn_cancelled', detail: 'by client' });
    expect((await reply).status).toBe(409);
    await client.close();
  });
});

describe('client of the protocol', () => {
  it('the turn of a client that disconnects keeps running, and its key finds the answer on the other instance', async () => {
    const session_id = randomUUID();
    const key = { 'idempotency-key': randomUUID() };
    const watcher = await TestClient.greet(two.url, { session_id });
    const leaving = new AbortController();
    const left = fetch(`${one.http}/api/protocol`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...key },
      body: JSON.stringify({ session_id, chief_complaint: SLOWER }),
      signal: leaving.signal,
    }).catch((error: Error) => error.name);
    const { turn_id } = await watcher.waitForType('turn.started');
    await watcher.waitForType('delta');
    leaving.abort();
    expect(await left).toBe('AbortError');
    const spent = await promptTokens(simulator.url);
    const answer = await ask(two.http, { session_id, chief_complaint: SLOWER }, key);
    await watcher.waitForType('turn.completed');
    expect(answer.metadata.turn_id).toBe(turn_id);
    expect(answer.protocol).toBe(watcher.turnText(turn_id));
    expect(await promptTokens(simulator.url)).toBe(spent);
    await watcher.close();
  });

  it('HTTP requests of a client do not close its socket of the same client_id', async () => {
    const client_id = `tablet-${randomUUID()}`;
    const client = await TestClient.greet(one.url, { client_id });
    const body = { session_id: client.sessionId, client_id, chief_complaint: 'chest pain' };
    const answers = await Promise.all([ask(one.http, body), ask(two.http, body)]);
    expect(answers.map(({ metadata }) => metadata.conversation_count).toSorted()).toEqual([1, 2]);
    expect(client.isOpen).toBe(true);
    await client.close();
  });
});

describe('Idempotency-Key', () => {
  const body = { age: 61, chief_complaint: SLOW };

  async function generations<T>(task: () => Promise<T>): Promise<{ result: T; tokens: number }> {
    const before = await promptTokens(simulator.url);
    const result = await task();
    return { result, tokens: (await promptTokens(simulator.url)) - before };
  }

  async function expectMismatch(
    instance: Instance,
    other: Fields,
    headers: Readonly<Record<string, string>>,
  ): Promise<void> {
    const reply = await send(instance, other, headers);
    expect(reply.status).toBe(422);
    expect(problemOf(reply)).toMatchObject({ code: 'idempotency_mismatch', retryable: false });
  }

  it.each<[string, () => Fields]>([
    ['in a session', () => ({ ...body, session_id: randomUUID() })],
    ['without a session', () => body],
  ])(
    'requests with the same Idempotency-Key %s get one answer of one generation, on both instances and later',
    async (_, make) => {
      const headers = { 'idempotency-key': randomUUID() };
      const request = make();
      const alone = await generations(() => ask(one.http, make(), { 'idempotency-key': randomUUID() }));
      const { result, tokens } = await generations(() =>
        Promise.all([one, two, one, two].map(({ http }) => ask(http, request, headers))),
      );
      expect(tokens).toBe(alone.tokens);
      const [first, ...others] = result;
      for (const other of others) expect(other).toEqual(first);
      const later = await generations(() => ask(two.http, request, headers));
      expect(later.tokens).toBe(0);
      expect(later.result).toEqual(first);
      expect(first?.metadata.conversation_count).toBe(1);
    },
  );

  it('a second request with the same Idempotency-Key gets the same answer under the policy reject, even while the first waits', async () => {
    const request = { ...body, session_id: randomUUID(), policy: 'reject' };
    const headers = { 'idempotency-key': randomUUID() };
    const first = ask(one.http, request, headers);
    await eventually(
      'the turn runs',
      () => running(simulator.url),
      (count) => count > 0,
    );
    expect(await ask(two.http, request, headers)).toEqual(await first);
  });

  it('two clients that use the same Idempotency-Key for different messages do not share a session', async () => {
    const headers = { 'idempotency-key': 'order-1' };
    const mine = await ask(one.http, { age: 61, chief_complaint: 'chest pain' }, headers);
    const theirs = await ask(one.http, { age: 16, chief_complaint: 'a rash' }, headers);
    expect(theirs.session_id).not.toBe(mine.session_id);
  });

  it('a repeated Idempotency-Key gets duplicate_message when the log no longer holds its answer', async () => {
    const [brief] = await Promise.all([startInstance({ FRAME_LOG_MAX: '6', VLLM_BASE_URL: simulator.url })]);
    const session_id = randomUUID();
    const headers = { 'idempotency-key': randomUUID() };
    await ask(brief.http, { session_id, chief_complaint: 'chest pain' }, headers);
    await ask(brief.http, { session_id, chief_complaint: 'a second turn' });
    await ask(brief.http, { session_id, chief_complaint: 'a third turn' });
    const reply = await send(brief, { session_id, chief_complaint: 'chest pain' }, headers);
    expect(reply.status).toBe(409);
    expect(problemOf(reply).code).toBe('duplicate_message');
    await brief.stop();
  });

  it('an Idempotency-Key with another body is refused in its session, on each instance, during the turn and after it', async () => {
    const session_id = randomUUID();
    const headers = { 'idempotency-key': randomUUID() };
    const first = ask(one.http, { ...body, session_id }, headers);
    await eventually(
      'the turn runs',
      () => running(simulator.url),
      (count) => count > 0,
    );
    const other = { session_id, age: 62, chief_complaint: 'dizzy' };
    const { tokens } = await generations(async () => {
      for (const instance of [one, two]) await expectMismatch(instance, other, headers);
      await first;
      for (const instance of [one, two]) await expectMismatch(instance, other, headers);
      const stream = { ...headers, accept: 'text/event-stream' };
      await expectMismatch(two, other, stream);
    });
    expect(tokens).toBe(0);
    const same = { chief_complaint: SLOW, session_id, age: 61 };
    expect(await ask(two.http, same, headers)).toEqual(await first);
  });

  it('an Idempotency-Key with another body is refused after a restart of the server', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rehydra-key-'));
    const where = { DATA_DIR: folder, VLLM_BASE_URL: simulator.url };
    const headers = { 'idempotency-key': randomUUID() };
    const before = await startInstance(where);
    const answer = await ask(before.http, { chief_complaint: 'chest pain' }, headers);
    await before.stop();
    const after = await startInstance(where);
    const { session_id } = answer;
    await expectMismatch(after, { session_id, chief_complaint: 'a rash' }, headers);
    expect(await ask(after.http, { session_id, chief_complaint: 'chest pain' }, headers)).toEqual(answer);
    await after.stop();
    rmSync(folder, { recursive: true });
  });

  it('an Idempotency-Key of more than 256 characters is refused', async () => {
    const reply = await send(one, body, { 'idempotency-key': 'k'.repeat(257) });
    expect(reply.status).toBe(400);
  });
});
