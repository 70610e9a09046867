/** A draining instance tells HTTP clients to retry, and another instance gives them the one answer. */
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { ask, get, post, problemOf, readEvents, type SentEvent } from '../support/instance/http.ts';
import {
  type Instance,
  type SimulatorProcess,
  startInstance,
  startSimulatorProcess,
} from '../support/instance/instance.ts';
import { countUp, eventually, metric } from '../support/instance/observed.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';

const TOKENS = 240;
/** Six seconds: much longer than a short drain waits, and much shorter than a long one does. */
const SLOW = `[[fault:tps=40,tokens=${TOKENS}]] chest pain`;
const [SHORT_MS, LONG_MS] = ['800', '20000'];
/** Tokens in flight when the instance aborts its generation; a second generation would cost as many as the first. */
const GIVEN_UP_MAX = TOKENS / 2;

let redis: RedisServer;
let simulator: SimulatorProcess;
let staying: Instance;
let leaving: Instance;

beforeAll(async () => {
  redis = await startRedis();
  simulator = await startSimulatorProcess();
  staying = await startInstance({ REDIS_URL: redis.url, VLLM_BASE_URL: simulator.url });
});
afterAll(async () => {
  await staying?.stop();
  await Promise.all([simulator?.stop(), redis?.stop()]);
});
afterEach(() => leaving?.stop());

const start = async (drainMs: string): Promise<void> => {
  leaving = await startInstance({ REDIS_URL: redis.url, VLLM_BASE_URL: simulator.url, DRAIN_MS: drainMs });
};
const at = ({ http }: Instance) => `${http}/api/protocol`;
const generated = () => metric(simulator.url.slice(0, -'/v1'.length), 'vllm:generation_tokens_total');
const idsOf = (events: readonly SentEvent[]) => events.flatMap(({ id }) => (id === null ? [] : [id]));
const textOf = (events: readonly SentEvent[]) =>
  events.map(({ frame }) => (frame.type === 'delta' ? frame.text : '')).join('');
const request = () => ({
  body: { session_id: randomUUID(), chief_complaint: SLOW },
  headers: { 'idempotency-key': randomUUID() },
});

/** Attaches a client that sees every frame of the session, once its turn runs. */
async function watch(session_id: string): Promise<TestClient> {
  await eventually(
    'the turn to run',
    async () => (await get(`${staying.http}/api/session/${session_id}`)).body,
    (session) => (session as { readonly state?: string }).state === 'processing',
  );
  const watcher = await TestClient.greet(staying.url, { session_id, after: 0 });
  await watcher.waitForType('delta');
  return watcher;
}

/** Resolves once the draining instance has found that the other owns the session. */
const bothWait = () =>
  eventually(
    'both to wait',
    () => metric(leaving.http, 'rehydra_claims_total', { outcome: 'held' }),
    (held) => held > 0,
  );

describe('short drain', () => {
  it('a request that a drain interrupts gets a retryable 503, and its key gets the one answer at another instance', async () => {
    await start(SHORT_MS);
    const { body, headers } = request();
    const before = await generated();
    const reply = post(at(leaving), body, headers);
    const watcher = await watch(body.session_id);
    leaving.kill('SIGTERM');

    const refused = await reply;
    expect(refused.status).toBe(503);
    expect(problemOf(refused)).toMatchObject({ code: 'draining', retryable: true });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(await leaving.exited).toEqual({ code: 0, signal: null });

    const answer = await ask(staying.http, body, headers);
    expect(answer.metadata).toMatchObject({ conversation_count: 1, resumed: 1 });
    await watcher.waitForType('turn.completed');
    expect(answer.protocol).toBe(watcher.turnText(answer.metadata.turn_id));
    expect(watcher.frames.filter(({ type }) => type === 'turn.started')).toHaveLength(1);
    const { body: said } = await get(`${staying.http}/api/session/${body.session_id}/transcript`);
    expect(said).toMatchObject({
      transcript: [{ role: 'user' }, { role: 'assistant', content: answer.protocol }],
    });
    expect((await generated()) - before).toBeLessThan(TOKENS + GIVEN_UP_MAX);
    await watcher.close();
  });

  it('a stream that a drain interrupts ends with a retryable event, and resumes after it at another instance', async () => {
    await start(SHORT_MS);
    const { body, headers } = request();
    const stream = readEvents({ url: at(leaving), body, headers });
    const watcher = await watch(body.session_id);
    leaving.kill('SIGTERM');

    const first = await stream;
    const last = first.at(-1);
    expect(last).toMatchObject({
      id: null,
      event: 'error',
      frame: { type: 'error', code: 'draining', retryable: true, retry_after_ms: last?.retryMs },
    });
    expect(last?.retryMs).toBeGreaterThan(0);
    expect(await leaving.exited).toEqual({ code: 0, signal: null });

    const seen = { 'last-event-id': String(idsOf(first).at(-1)) };
    const rest = await readEvents({ url: at(staying), body, headers: { ...headers, ...seen } });
    const ids = [...idsOf(first), ...idsOf(rest)];
    expect(ids).toEqual(countUp(ids[0]!, ids.at(-1)!));
    const { protocol, metadata } = await ask(staying.http, body, headers);
    expect(textOf([...first, ...rest])).toBe(protocol);
    expect(metadata).toMatchObject({ conversation_count: 1, resumed: 1 });
    await watcher.close();
  });

  it('a request at a draining instance gets a retryable 503 while the owner of its session goes on undisturbed', async () => {
    await start(SHORT_MS);
    const { body, headers } = request();
    const there = post(at(staying), body, headers);
    const watcher = await watch(body.session_id);
    const here = post(at(leaving), body, headers);
    await bothWait();
    leaving.kill('SIGTERM');
    const refused = await here;
    expect(refused.status).toBe(503);
    expect(problemOf(refused).code).toBe('draining');
    const answer = await there;
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ metadata: { resumed: 0 } });
    expect((await post(at(staying), body, headers)).body).toEqual(answer.body);
    await watcher.close();
  });
});

describe('long drain', () => {
  it('a draining instance still gives an answer that completes within the drain time', async () => {
    await start(LONG_MS);
    const { body, headers } = request();
    const reply = post(at(leaving), body, headers);
    const watcher = await watch(body.session_id);
    leaving.kill('SIGTERM');
    expect((await reply).status).toBe(200);
    expect((await reply).body).toMatchObject({ metadata: { resumed: 0, conversation_count: 1 } });
    expect(await leaving.exited).toEqual({ code: 0, signal: null });
    await watcher.close();
  });

  it('a draining instance still gives an answer of a session that another instance owns', async () => {
    await start(LONG_MS);
    const { body, headers } = request();
    const there = post(at(staying), body, headers);
    const watcher = await watch(body.session_id);
    const here = post(at(leaving), body, headers);
    await bothWait();
    leaving.kill('SIGTERM');
    expect((await here).status).toBe(200);
    expect((await here).body).toEqual((await there).body);
    expect(await leaving.exited).toEqual({ code: 0, signal: null });
    await watcher.close();
  });
});
