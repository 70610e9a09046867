/** `GET /v1/sessions/{id}/events`: what a socket of the session sees, as server-sent events, on any instance. */
import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import type { ServerFrame } from '../../src/protocol/server-frames.ts';
import { TestClient } from '../support/instance/client.ts';
import { get, post, problemOf, readEvents, type SentEvent } from '../support/instance/http.ts';
import { newIdentities, showing } from '../support/instance/identities.ts';
import { type Instance, startInstance, startSimulatorProcess } from '../support/instance/instance.ts';
import { eventually } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

const SLOW = '[[fault:tps=60,tokens=120]] a story';
const [redis, simulator] = started(startRedis, () =>
  startSimulatorProcess({ SIMULATOR_TOKENS: '24', SIMULATOR_TOKENS_PER_SECOND: '0' }),
);
const environment = () => ({ REDIS_URL: redis.url, VLLM_BASE_URL: simulator.url });
const launch = () => startInstance(environment());

const at = ({ http }: Instance, id: string, query = '') => `${http}/v1/sessions/${id}/events${query}`;
const say = ({ http }: Instance, id: string, content: string) =>
  post(`${http}/v1/sessions/${id}/messages`, { content });
const has = (type: ServerFrame['type']) => (events: readonly SentEvent[]) =>
  events.some(({ event }) => event === type);
const textOf = (events: readonly SentEvent[]) =>
  events.map(({ frame }) => (frame.type === 'delta' ? frame.text : '')).join('');
const idsOf = (events: readonly SentEvent[]) => events.flatMap(({ id }) => (id === null ? [] : [id]));
/** Frames that tell of readers themselves: each reader adds its own. */
const isOfTurns = ({ type }: ServerFrame) => !['welcome', 'state', 'user.joined', 'user.left'].includes(type);
const stateOf = async ({ http }: Instance, id: string) =>
  ((await get(`${http}/api/session/${id}`)).body as { readonly state: string }).state;

async function newSession({ http }: Instance): Promise<string> {
  const { body } = await post(`${http}/v1/sessions`, {});
  return (body as { readonly session_id: string }).session_id;
}

describe('the events of a session', () => {
  const [one, two] = started(launch, launch);

  it('a stream from offset 0 has the frames that a socket gets, in the same order, on either instance', async () => {
    const id = await newSession(one);
    await say(one, id, 'Hello');
    await say(two, id, 'And now?');
    const client = await TestClient.greet(one.url, { session_id: id, after: 0 });
    const ends = (events: readonly SentEvent[]) =>
      events.filter(({ event }) => event === 'turn.completed').length === 2;
    for (const instance of [one, two]) {
      const events = await readEvents({ url: at(instance, id, '?after=0') }, ends);
      expect(events[0]).toMatchObject({ id: null, event: 'welcome' });
      const durable = events.slice(1);
      expect(durable.map(({ id: place }) => place)).toEqual(durable.map((_, index) => index + 1));
      for (const { id: place, event, frame } of durable)
        expect([event, place]).toEqual([frame.type, 'offset' in frame ? frame.offset : null]);
      const seen = durable.map(({ frame }) => frame).filter(isOfTurns);
      expect(client.frames.filter(isOfTurns)).toEqual(seen);
    }
    await client.close();
  });

  it('a stream that was cut in mid-answer goes on at the other instance without a gap or a repeat', async () => {
    const id = await newSession(one);
    const answer = say(one, id, SLOW);
    const first = await readEvents({ url: at(one, id, '?after=0') }, has('delta'));
    const headers = { 'last-event-id': String(idsOf(first).at(-1)) };
    const rest = await readEvents({ url: at(two, id), headers }, has('turn.completed'));
    const offsets = [...idsOf(first), ...idsOf(rest)];
    expect(offsets).toEqual(offsets.map((_, index) => index + 1));
    const { content } = (await answer).body as { readonly content: string };
    expect(textOf([...first, ...rest])).toBe(content);
  });

  it('a stream without an offset begins now, and its welcome has the id from which a reconnect goes on', async () => {
    const id = await newSession(one);
    await say(one, id, 'Hello');
    const [welcome] = await readEvents({ url: at(two, id) }, has('welcome'));
    expect(welcome).toMatchObject({ event: 'welcome', frame: { session_id: id, offset: welcome?.id } });
    await say(one, id, 'And now?');
    const headers = { 'last-event-id': String(welcome?.id) };
    const rest = await readEvents({ url: at(two, id), headers }, has('turn.completed'));
    expect(idsOf(rest)[0]).toBe((welcome?.id ?? 0) + 1);
    expect(rest.filter(({ event }) => event === 'turn.started')).toHaveLength(1);
  });

  it('a stream stays open between turns and ends after the frame that tells the end of its session', async () => {
    const id = await newSession(one);
    const reading = readEvents({ url: at(two, id, '?after=0') });
    await say(one, id, 'Hello');
    await say(two, id, 'And now?');
    await get(`${one.http}/api/session/${id}`, { method: 'DELETE' });
    const events = await reading;
    expect(events.filter(({ event }) => event === 'turn.completed')).toHaveLength(2);
    expect(events.at(-1)?.event).toBe('expired');
    expect(problemOf(await get(at(one, id))).code).toBe('session_not_found');
  });

  it('a reader is present as long as its stream is open, and a HEAD request leaves no reader behind', async () => {
    const id = await newSession(one);
    await readEvents({ url: at(two, id) }, has('welcome'));
    await eventually(
      'the reader to leave',
      () => stateOf(one, id),
      (state) => state === 'idle',
    );
    const cut = new AbortController();
    const open = await fetch(at(two, id), { signal: cut.signal });
    expect([open.status, await stateOf(one, id)]).toEqual([200, 'connected']);
    cut.abort();
    expect((await fetch(at(two, id), { method: 'HEAD' })).status).toBe(200);
    await eventually(
      'the readers to leave',
      () => stateOf(one, id),
      (state) => state === 'idle',
    );
  });

  it('reading creates no session, and a session of a user is absent to another one', async () => {
    const unknown = randomUUID();
    expect(problemOf(await get(at(one, unknown, '?after=0'))).code).toBe('session_not_found');
    expect((await get(`${one.http}/api/session/${unknown}`)).status).toBe(404);
    const { body } = await post(`${one.http}/v1/sessions`, { user_id: 'ana' });
    const { session_id } = body as { readonly session_id: string };
    expect(problemOf(await get(at(one, session_id, '?user_id=ben'))).code).toBe('session_not_found');
    const [welcome] = await readEvents({ url: at(one, session_id, '?user_id=ana') }, has('welcome'));
    expect(welcome?.event).toBe('welcome');
  });

  it('a stream that resumes from frames that the log lost gets a reset, whose id it resumes from', async () => {
    const id = await newSession(one);
    await say(one, id, 'Hello');
    const future = '9007199254740000';
    const events = await readEvents({ url: at(two, id, `?after=1&epoch=${future}`) }, has('reset'));
    const reset = events.at(-1);
    expect(reset).toMatchObject({
      frame: {
        reason: 'rolled_back',
        offset: reset?.id,
        transcript: [{ role: 'user' }, { role: 'assistant' }],
      },
    });
  });
});

describe('the events of a session at an instance that drains', () => {
  const [staying] = started(launch);
  let leaving: Instance;
  afterEach(() => leaving?.stop());

  it('a stream ends with a retryable event while a turn goes on, and resumes at another instance', async () => {
    leaving = await startInstance({ ...environment(), DRAIN_MS: '20000' });
    const id = await newSession(staying);
    const answer = say(staying, id, SLOW);
    let isKilled = false;
    const first = await readEvents({ url: at(leaving, id, '?after=0') }, (events) => {
      if (!isKilled && has('delta')(events)) {
        isKilled = true;
        leaving.kill('SIGTERM');
      }
      return false;
    });
    expect(first.at(-1)).toMatchObject({ event: 'error', frame: { code: 'draining', retryable: true } });
    expect(first.at(-1)?.retryMs).toBeGreaterThan(0);
    expect(has('turn.completed')(first)).toBe(false);
    const headers = { 'last-event-id': String(idsOf(first).at(-1)) };
    const rest = await readEvents({ url: at(staying, id), headers }, has('turn.completed'));
    const { content } = (await answer).body as { readonly content: string };
    expect(textOf([...first, ...rest])).toBe(content);
    expect(await leaving.exited).toEqual({ code: 0, signal: null });
  });
});

describe('the events of a session with AUTH', () => {
  const identities = newIdentities();
  const [instance] = started(() =>
    startInstance({ ...environment(), ...identities.environment, RATE_MESSAGES_PER_MINUTE: '0' }),
  );

  it('a stream ends with identity_ended once its user is disabled', async () => {
    const headers = showing(await identities.token('sven'));
    const { body } = await post(`${instance.http}/v1/sessions`, {}, headers);
    const { session_id } = body as { readonly session_id: string };
    const events = await readEvents({ url: at(instance, session_id), headers }, (seen) => {
      if (has('welcome')(seen)) identities.disable({ subject: 'sven' });
      return false;
    });
    expect(events.at(-1)).toMatchObject({ event: 'error', frame: { code: 'identity_ended' } });
    identities.disable();
  });

  it("a guest's stream ends with forbidden when the owner revokes the share", async () => {
    const [owner, guest] = [showing(await identities.token('ana')), showing(await identities.token('ben'))];
    const { body } = await post(`${instance.http}/v1/sessions`, {}, owner);
    const { session_id } = body as { readonly session_id: string };
    const shares = `${instance.http}/api/session/${session_id}/shares`;
    const { body: share } = await post(shares, { user_id: 'ben' }, owner);
    const { share_id } = share as { readonly share_id: string };
    let isRevoked = false;
    const events = await readEvents({ url: at(instance, session_id), headers: guest }, (seen) => {
      if (!isRevoked && has('welcome')(seen)) {
        isRevoked = true;
        void get(`${shares}/${share_id}`, { method: 'DELETE', headers: owner });
      }
      return false;
    });
    expect(events.at(-1)).toMatchObject({ event: 'error', frame: { code: 'forbidden' } });
  });
});
