/**
 * Runs the tests of the medical chatbot's guide over HTTP: on one instance with the embedded store, and on two
 * instances on Redis that take the requests in turns.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, get } from '../support/instance/http.ts';
import {
  type Instance,
  type SimulatorProcess,
  startInstance,
  startSimulatorProcess,
} from '../support/instance/instance.ts';
import { eventually } from '../support/instance/observed.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const CHEST_PAIN = { age: '45', gender: 'male', chief_complaint: 'chest pain' };
const SHORT_IDLE_MS = 3_000;

interface Deployment {
  readonly redis: RedisServer | null;
  readonly instances: readonly Instance[];
  /** Like `instances`, but with a short idle time. */
  readonly hasty: readonly Instance[];
}

describe.each([
  ['one instance with the embedded store', startEmbedded],
  ['two instances on Redis, taken in turns', startPair],
])('the guide, on %s', (_, start) => {
  let simulator: SimulatorProcess;
  let deployment: Deployment;
  let requests = 0;

  beforeAll(async () => {
    simulator = await startSimulatorProcess({ SIMULATOR_TOKENS: '24', SIMULATOR_TOKENS_PER_SECOND: '0' });
    deployment = await start(simulator.url);
  });
  afterAll(async () => {
    const { instances, hasty, redis } = deployment ?? { instances: [], hasty: [], redis: null };
    await Promise.all([...instances, ...hasty].map((instance) => instance.stop()));
    await Promise.all([simulator?.stop(), redis?.stop()]);
  });

  /** The address of the instance that takes the next request. */
  function next(among: readonly Instance[] = deployment.instances): string {
    requests += 1;
    return among[requests % among.length]!.http;
  }

  it('test 1: a request without a session begins one and returns its id', async () => {
    const answer = await ask(next(), CHEST_PAIN);
    expect(answer.session_id).toMatch(UUID);
    expect(answer.protocol.toLowerCase()).toContain('chest pain');
    expect(answer.patient_summary).toMatchObject(CHEST_PAIN);
    expect(answer.metadata).toMatchObject({ conversation_count: 1, simulated: true });
    expect(answer.metadata.inference_time_ms).toBeGreaterThan(0);
    const other = await ask(next(), CHEST_PAIN);
    expect(other.session_id).not.toBe(answer.session_id);
  });

  it('test 2: a request with a session’s id continues it and counts its conversations', async () => {
    const first = await ask(next(), CHEST_PAIN);
    const second = await ask(next(), { session_id: first.session_id, chief_complaint: 'follow-up' });
    expect(second.session_id).toBe(first.session_id);
    expect(second.metadata.conversation_count).toBe(2);
  });

  it('a client may choose the id of its session, in upper or lower case', async () => {
    const session_id = randomUUID();
    const first = await ask(next(), { session_id: session_id.toUpperCase(), ...CHEST_PAIN });
    const second = await ask(next(), { session_id, chief_complaint: 'follow-up' });
    expect([first.session_id, second.session_id]).toEqual([session_id, session_id]);
    expect(second.metadata.conversation_count).toBe(2);
  });

  it('test 3: the second answer of a conversation has seen both the chest pain and the diabetes', async () => {
    const session_id = randomUUID();
    await ask(next(), { session_id, ...CHEST_PAIN });
    const answer = await ask(next(), { session_id, chief_complaint: 'patient also has diabetes' });
    expect(answer.protocol.toLowerCase()).toContain('chest pain');
    expect(answer.protocol.toLowerCase()).toContain('diabetes');
    expect(answer.metadata.conversation_count).toBe(2);
    expect(answer.patient_summary).toMatchObject({
      age: '45',
      gender: 'male',
      chief_complaint: 'patient also has diabetes',
      earlier_complaints: ['chest pain'],
    });
  });

  it('a turn adds its patient data to the known data, vitals one by one', async () => {
    const { session_id } = await ask(next(), {
      ...CHEST_PAIN,
      vitals: { heart_rate: 110, blood_pressure: '140/90' },
      past_medical_history: 'hypertension',
    });
    const { patient_summary } = await ask(next(), { session_id, vitals: { heart_rate: 95, spo2: '96 %' } });
    expect(patient_summary).toMatchObject({
      ...CHEST_PAIN,
      vitals: { heart_rate: 95, blood_pressure: '140/90', spo2: '96 %' },
      past_medical_history: 'hypertension',
    });
  });

  it('the guide’s endpoints describe a session, list it, and delete it immediately', async () => {
    const user_id = randomUUID();
    const { session_id } = await ask(next(), { ...CHEST_PAIN, user_id });
    const url = () => `${next()}/api/session/${session_id}`;
    const { body } = await get(url());
    expect(body).toMatchObject({ session_id, conversation_count: 1, is_active: true });
    const list = (await get(`${next()}/api/sessions?user_id=${user_id}`)).body as {
      readonly count: number;
      readonly sessions: readonly { readonly session_id: string }[];
    };
    expect(list.sessions.map((one) => one.session_id)).toEqual([session_id]);
    expect((await get(url(), { method: 'DELETE' })).status).toBe(200);
    expect((await get(url())).status).toBe(404);
    expect((await get(url())).status).toBe(404);
  });

  it('a request with the id of an expired session begins a new session under it', async () => {
    const hasty = () => next(deployment.hasty);
    const first = await ask(hasty(), CHEST_PAIN);
    const { session_id } = first;
    expect(
      (await ask(hasty(), { session_id, chief_complaint: 'follow-up' })).metadata.conversation_count,
    ).toBe(2);
    await eventually(
      'the session is over',
      async () => (await get(`${hasty()}/api/session/${session_id}`)).status,
      (status) => status === 404,
    );
    const fresh = await ask(hasty(), { session_id, chief_complaint: 'a rash' });
    expect(fresh.session_id).toBe(session_id);
    expect(fresh.metadata.conversation_count).toBe(1);
    expect(fresh.protocol.toLowerCase()).not.toContain('chest pain');
    expect(fresh.patient_summary).toMatchObject({ age: null, chief_complaint: 'a rash' });
    expect(fresh.patient_summary).not.toHaveProperty('earlier_complaints');
  });
});

it('a request with the id of a session that expired while no instance ran begins a new session under it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rehydra-guide-'));
  const environment = { DATA_DIR: folder, SESSION_IDLE_MS: String(SHORT_IDLE_MS) };
  const before = await startInstance(environment);
  const { session_id } = await ask(before.http, CHEST_PAIN);
  await before.stop();
  await sleep(SHORT_IDLE_MS);
  const after = await startInstance(environment);
  const fresh = await ask(after.http, { session_id, chief_complaint: 'a rash' });
  expect(fresh).toMatchObject({ session_id, metadata: { conversation_count: 1 } });
  expect(fresh.protocol.toLowerCase()).not.toContain('chest pain');
  await after.stop();
  rmSync(folder, { recursive: true });
});

async function startEmbedded(upstream: string): Promise<Deployment> {
  const environment = { VLLM_BASE_URL: upstream };
  const [instance, hasty] = await Promise.all([
    startInstance(environment),
    startInstance({ ...environment, SESSION_IDLE_MS: String(SHORT_IDLE_MS) }),
  ]);
  return { redis: null, instances: [instance], hasty: [hasty] };
}

async function startPair(upstream: string): Promise<Deployment> {
  const redis = await startRedis();
  const environment = { VLLM_BASE_URL: upstream, REDIS_URL: redis.url };
  const brief = { ...environment, SESSION_IDLE_MS: String(SHORT_IDLE_MS) };
  const [one, two, three, four] = await Promise.all([
    startInstance(environment),
    startInstance(environment),
    startInstance(brief),
    startInstance(brief),
  ]);
  return { redis, instances: [one, two], hasty: [three, four] };
}
