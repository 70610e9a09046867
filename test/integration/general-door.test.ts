/** `/v1/sessions`: a session is started, cancelled and extended over HTTP, whichever instance takes the request. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { get, post, problemOf, type Reply } from '../support/instance/http.ts';
import { newIdentities, showing } from '../support/instance/identities.ts';
import { startInstance, startSimulatorProcess } from '../support/instance/instance.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

const SLOW = '[[fault:tps=60,tokens=1200]] a story';

interface Session {
  readonly session_id: string;
  readonly state: string;
  readonly user_id: string | null;
  readonly expires_at: number;
  readonly absolute_expires_at: number;
}
const sessionIn = ({ body }: Reply) => body as Session;
const bare = (url: string, headers = {}) => get(url, { method: 'POST', headers });

describe('the general door', () => {
  const [redis, simulator] = started(startRedis, () =>
    startSimulatorProcess({ SIMULATOR_TOKENS: '24', SIMULATOR_TOKENS_PER_SECOND: '0' }),
  );
  /** The archive, which both instances share. */
  const folder = mkdtempSync(join(tmpdir(), 'rehydra-door-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const launch = () =>
    startInstance({ REDIS_URL: redis.url, VLLM_BASE_URL: simulator.url, DATA_DIR: folder });
  const [one, two] = started(launch, launch);

  it('a request without a body starts a session with an id of the server, which the other instance serves', async () => {
    const reply = await bare(`${one.http}/v1/sessions`);
    expect(reply.status).toBe(201);
    const { session_id, state } = sessionIn(reply);
    expect(state).toBe('idle');
    const answer = await post(`${two.http}/v1/sessions/${session_id}/messages`, { content: 'Hello' });
    expect(answer.status).toBe(200);
    expect((await get(`${one.http}/api/session/${session_id}`)).body).toMatchObject({
      conversation_count: 1,
    });
  });

  it('a repeated start with the same id finds the session of the first one at the other instance', async () => {
    const body = { id: randomUUID(), user_id: 'ana', diagnosis_id: 'd1' };
    const first = await post(`${one.http}/v1/sessions`, body);
    const again = await post(`${two.http}/v1/sessions`, body);
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.body).toMatchObject({ session_id: body.id, user_id: 'ana', diagnosis_id: 'd1' });
  });

  it('a body without a media type is refused, and so is a body that is not JSON', async () => {
    const blob = new Blob(['{"id":"x"}']);
    const untyped = await get(`${one.http}/v1/sessions`, { method: 'POST', body: blob });
    expect(problemOf(untyped).code).toBe('unsupported_media_type');
    expect(problemOf(await post(`${one.http}/v1/sessions`, '{')).code).toBe('bad_request');
  });

  it('a cancel at the other instance stops the running answer, and a repeated cancel gets the same answer', async () => {
    const client = await TestClient.greet(one.url);
    const at = `${two.http}/v1/sessions/${client.sessionId}/cancel`;
    client.send({ type: 'message', id: 'm1', content: SLOW });
    await client.waitForType('delta');
    const cancelled = await bare(at);
    const { turn_id } = await client.waitForType('turn.cancelled');
    expect(cancelled).toMatchObject({
      status: 200,
      body: { session_id: client.sessionId, turn_id, state: 'cancelled' },
    });
    expect((await post(at, { turn_id })).body).toEqual(cancelled.body);
    expect((await bare(at)).body).toEqual({ session_id: client.sessionId, turn_id: null, state: 'idle' });
    await client.close();
    await get(`${one.http}/api/session/${client.sessionId}`, { method: 'DELETE' });
    expect(problemOf(await bare(at)).code).toBe('session_not_found');
    expect((await post(at, { turn_id })).body).toEqual(cancelled.body);
  });

  it('a cancel of a turn that has completed tells so, and one of an unknown turn is refused', async () => {
    const id = randomUUID();
    const { body } = await post(`${one.http}/v1/sessions/${id}/messages`, { content: 'Hello' });
    const { turn_id } = body as { readonly turn_id: string };
    const at = `${two.http}/v1/sessions/${id}/cancel`;
    expect((await post(at, { turn_id })).body).toMatchObject({ turn_id, state: 'completed' });
    expect(problemOf(await post(at, { turn_id: randomUUID() })).code).toBe('unknown_turn');
  });

  it('an extend at any instance moves the idle deadline, answers both deadlines and needs a session', async () => {
    const { session_id, ...before } = sessionIn(await bare(`${one.http}/v1/sessions`));
    const client = await TestClient.greet(one.url, { session_id });
    for (const { http } of [two, one]) {
      const extended = sessionIn(await bare(`${http}/v1/sessions/${session_id}/extend`));
      expect(extended.expires_at).toBeGreaterThan(before.expires_at);
      expect(extended.absolute_expires_at).toBe(before.absolute_expires_at);
      const { body } = await get(`${two.http}/api/session/${session_id}`);
      expect(body).toMatchObject(extended);
    }
    await client.close();
    const unknown = await bare(`${one.http}/v1/sessions/${randomUUID()}/extend`);
    expect(problemOf(unknown).code).toBe('session_not_found');
  });
});

describe('the general door with AUTH', () => {
  const identities = newIdentities();
  const [instance] = started(() =>
    startInstance({
      ...identities.environment,
      SIMULATOR_TOKENS_PER_SECOND: '0',
      SESSIONS_PER_USER_MAX: '1',
    }),
  );
  const as = async (user: string) => showing(await identities.token(user));

  it('each user gets a session of their own, even under an id that another user has chosen', async () => {
    const start = `${instance.http}/v1/sessions`;
    const [ana, ben] = [await as('ana'), await as('ben')];
    const first = sessionIn(await post(start, {}, ana));
    expect(first.user_id).toBe('ana');
    const messages = `${start}/${first.session_id}/messages`;
    expect((await post(messages, { content: 'Hello' }, ana)).status).toBe(200);
    expect(problemOf(await post(messages, { content: 'Hello' }, ben)).code).toBe('session_not_found');

    const body = { id: first.session_id };
    expect(await post(start, body, ana)).toMatchObject({ status: 200, body: { session_id: body.id } });
    const foreign = await post(start, body, ben);
    expect(foreign).toMatchObject({ status: 201, body: { user_id: 'ben' } });
    expect(sessionIn(foreign).session_id).not.toBe(first.session_id);
    const again = await post(start, body, ben);
    expect([again.status, sessionIn(again).session_id]).toEqual([200, sessionIn(foreign).session_id]);
    expect((await post(start, { user_id: 'ben' }, ana)).status).toBe(403);
    expect(problemOf(await post(start, {}, ben)).code).toBe('too_many_sessions');
  });
});
