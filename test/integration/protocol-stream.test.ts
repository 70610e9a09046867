/** `POST /api/protocol` streams a turn as server-sent events: the frames of the socket, resumable on any instance. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { durableFrameSchema, type ServerFrame } from '../../src/protocol/server-frames.ts';
import { TestClient } from '../support/instance/client.ts';
import { ask, problemOf, readEvents, refusedStream, type SentEvent } from '../support/instance/http.ts';
import { type Instance, startInstance, startSimulatorProcess } from '../support/instance/instance.ts';
import { countUp, metric } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

const SLOW = '[[fault:tps=60,tokens=180]] chest pain';
const LONG = '[[fault:tps=40,tokens=4000]] a long story';

const [redis, simulator] = started(startRedis, () =>
  startSimulatorProcess({ SIMULATOR_TOKENS: '24', SIMULATOR_TOKENS_PER_SECOND: '0' }),
);
const launch = () => startInstance({ REDIS_URL: redis.url, VLLM_BASE_URL: simulator.url });
const [one, two] = started(launch, launch);

const at = (instance: Instance) => `${instance.http}/api/protocol`;
const idsOf = (events: readonly SentEvent[]) => events.flatMap(({ id }) => (id === null ? [] : [id]));
const textOf = (events: readonly SentEvent[]) =>
  events.map(({ frame }) => (frame.type === 'delta' ? frame.text : '')).join('');
const has = (type: ServerFrame['type']) => (events: readonly SentEvent[]) =>
  events.some(({ event }) => event === type);
const promptTokens = () => metric(simulator.url.slice(0, -'/v1'.length), 'vllm:prompt_tokens_total');

describe('protocol stream', () => {
  it('a stream begins with welcome, carries the durable frames of the session with their offsets, and ends with the turn', async () => {
    const session_id = randomUUID();
    const client = await TestClient.greet(one.url, { session_id, after: 0 });
    const events = await readEvents({ url: at(two), body: { session_id, chief_complaint: SLOW } });
    expect(events[0]).toMatchObject({ id: null, event: 'welcome', frame: { session_id } });
    const ids = idsOf(events);
    expect(ids).toEqual(countUp(ids[0]!, ids.at(-1)!));
    for (const { id, event, frame } of events.slice(1)) {
      expect(durableFrameSchema.parse(frame)).toMatchObject({ type: event, offset: id });
    }
    expect(has('turn.completed')(events)).toBe(true);
    await client.waitForType('turn.completed');
    const seen = new Map(client.durable.map((frame) => [frame.offset, frame]));
    for (const { id, frame } of events.slice(1)) expect(frame).toEqual(seen.get(id!) ?? frame);
    await client.close();
  });

  it.each([
    ['the same instance', () => one],
    ['the other instance', () => two],
  ])(
    'a stream that was cut resumes by Last-Event-ID on %s, and both parts together are the whole answer',
    async (_, instance) => {
      const headers = { 'idempotency-key': randomUUID() };
      const body = { session_id: randomUUID(), chief_complaint: SLOW };
      const first = await readEvents({ url: at(one), body, headers }, has('delta'));
      const spent = await promptTokens();
      const last = idsOf(first).at(-1)!;
      const rest = await readEvents({
        url: at(instance()),
        body,
        headers: { ...headers, 'last-event-id': String(last) },
      });
      const ids = [...idsOf(first), ...idsOf(rest)];
      expect(ids).toEqual(countUp(ids[0]!, ids.at(-1)!));
      const { protocol } = await ask(one.http, body, headers);
      expect(textOf([...first, ...rest])).toBe(protocol);
      expect(await promptTokens()).toBe(spent);
    },
  );

  it('a stream that was cut resumes without an Idempotency-Key too, and starts no second turn', async () => {
    const body = { session_id: randomUUID(), chief_complaint: SLOW };
    const first = await readEvents({ url: at(one), body }, has('delta'));
    const last = String(idsOf(first).at(-1));
    const rest = await readEvents({ url: at(two), body, headers: { 'last-event-id': last } });
    expect(has('turn.completed')(rest)).toBe(true);
    const ids = [...idsOf(first), ...idsOf(rest)];
    expect(ids).toEqual(countUp(ids[0]!, ids.at(-1)!));
    const { metadata } = await ask(one.http, { ...body, chief_complaint: 'hm' });
    expect(metadata.conversation_count).toBe(2);
  });

  it('a stream that the client has seen to its end ends right after welcome, whatever turns followed', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const body = { session_id: randomUUID(), chief_complaint: 'chest pain' };
    const all = await readEvents({ url: at(one), body, headers });
    const last = idsOf(all).at(-1)!;
    expect(all.at(-1)).toMatchObject({ id: last, event: 'turn.completed' });
    await ask(one.http, { ...body, chief_complaint: 'a later turn' });
    const rest = await readEvents({
      url: at(two),
      body,
      headers: { ...headers, 'last-event-id': String(last) },
    });
    expect(rest.map(({ event }) => event)).toEqual(['welcome']);
  });

  it('a stream that resumes after an unknown offset gets a reset', async () => {
    const { session_id } = await ask(one.http, { chief_complaint: 'chest pain' });
    const body = { session_id, chief_complaint: 'hm' };
    const rest = await readEvents({ url: at(one), body, headers: { 'last-event-id': '9999' } });
    expect(rest.map(({ event }) => event)).toEqual(['welcome', 'reset']);
  });

  it('a stream that repeats an Idempotency-Key carries its turn from the beginning, not the whole session', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const body = { session_id: randomUUID(), chief_complaint: 'chest pain' };
    await ask(one.http, { ...body, chief_complaint: 'an earlier turn' });
    const { protocol, metadata } = await ask(one.http, body, headers);
    await ask(one.http, { ...body, chief_complaint: 'a later turn' });
    const events = await readEvents({ url: at(two), body, headers });
    expect(events[1]).toMatchObject({ event: 'turn.started', frame: { turn_id: metadata.turn_id } });
    expect(textOf(events)).toBe(protocol);
    expect(events.filter(({ event }) => event === 'welcome')).toHaveLength(1);
  });

  it('a stream of a busy session gets 429 under the policy reject and waits under the policy queue', async () => {
    const client = await TestClient.greet(one.url);
    client.message('long', LONG);
    await client.waitForType('delta');
    const body = { session_id: client.sessionId, chief_complaint: 'hm' };
    for (const instance of [one, two]) {
      const reply = await refusedStream({ url: at(instance), body: { ...body, policy: 'reject' } });
      expect(reply.status).toBe(429);
      expect(reply.headers.get('retry-after')).toMatch(/^[1-9]/);
      expect(problemOf(reply).code).toBe('session_busy');
    }
    const waiting = readEvents({ url: at(two), body: { ...body, policy: 'queue' } });
    await client.waitForType('message.queued');
    client.send({ type: 'cancel' });
    const events = await waiting;
    expect(has('message.queued')(events)).toBe(true);
    expect(events.filter(({ event }) => event === 'turn.completed')).toHaveLength(1);
    await client.close();
  });

  it('a stream whose turn is cancelled ends with turn.cancelled', async () => {
    const session_id = randomUUID();
    const client = await TestClient.greet(one.url, { session_id });
    const reading = readEvents({ url: at(two), body: { session_id, chief_complaint: LONG } });
    await client.waitForType('delta');
    client.send({ type: 'cancel' });
    expect(has('turn.cancelled')(await reading)).toBe(true);
    await client.close();
  });

  it('a stream whose session is deleted in mid-answer ends with turn.cancelled', async () => {
    const session_id = randomUUID();
    const client = await TestClient.greet(one.url, { session_id });
    const reading = readEvents({ url: at(one), body: { session_id, chief_complaint: LONG } });
    await client.waitForType('delta');
    await fetch(`${two.http}/api/session/${session_id}`, { method: 'DELETE' });
    expect((await reading).map(({ event }) => event)).toContain('turn.cancelled');
    expect(await client.closed).toMatchObject({ code: 4011 });
  });

  it.each([
    ['without a session', { chief_complaint: 'x' }, '7', 400],
    ['that is no offset', { session_id: randomUUID(), chief_complaint: 'x' }, 'seven', 400],
    ['of a session that is gone', { session_id: randomUUID(), chief_complaint: 'x' }, '7', 404],
  ])('a stream with a Last-Event-ID %s is refused', async (_, body, lastEventId, status) => {
    const reply = await refusedStream({ url: at(one), body, headers: { 'last-event-id': lastEventId } });
    expect(reply.status).toBe(status);
    problemOf(reply);
  });
});
