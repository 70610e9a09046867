/**
 * Several clients share one session on two instances. The lease is so long that no timer can repair a loss: an
 * instance learns of the other's writes by the store's hints, or the test fails.
 */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ServerFrame } from '../../src/protocol/server-frames.ts';
import { type Frame, TestClient } from '../support/instance/client.ts';
import { type Instance, startInstance, startSimulatorProcess } from '../support/instance/instance.ts';
import { countUp, eventually, running, tracesOf } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

const LONG_TURN = '[[fault:tps=40,tokens=1500]] A long story please';

describe('session on two instances', () => {
  const [redis, simulator] = started(startRedis, () => startSimulatorProcess({ SIMULATOR_TOKENS: '40' }));
  const launch = () =>
    startInstance({
      REDIS_URL: redis.url,
      VLLM_BASE_URL: simulator.url,
      LEASE_MS: '120000',
      HIBERNATE_MS: '120000',
    });
  const [one, two] = started(launch, launch);

  /** Starts a turn of a client on the first instance, and attaches a client on the second that follows it. */
  async function midTurn(): Promise<{ owner: TestClient; other: TestClient; turnId: string }> {
    const owner = await TestClient.greet(one.url, { after: 0 });
    owner.message('long', LONG_TURN);
    const { turn_id: turnId } = await owner.waitForType('turn.started');
    const other = await TestClient.greet(two.url, { session_id: owner.sessionId, after: 0 });
    await other.waitForType('delta');
    return { owner, other, turnId };
  }

  /** Waits for the state after a turn. */
  function calm(client: TestClient): Promise<Frame<'state'>> {
    const isCalm = (frame: ServerFrame): frame is Frame<'state'> =>
      frame.type === 'state' && frame.value === 'connected' && frame.version > 2;
    return client.waitFor(isCalm, 'the state after the turn', { from: client.frames.length - 1 });
  }

  it('clients of one session on two instances get identical frames in identical order', async () => {
    const onOne = await TestClient.greet(one.url, { after: 0 });
    const onTwo = await TestClient.greet(two.url, { session_id: onOne.sessionId, after: 0 });
    onOne.message('a', 'Good morning');
    await onTwo.completed('a');
    onTwo.message('b', 'And good evening');
    await Promise.all([onOne.completed('b'), onTwo.completed('b')]);
    await Promise.all([calm(onOne), calm(onTwo)]);

    expect(onTwo.durable).toEqual(onOne.durable);
    expect(onOne.offsets()).toEqual(countUp(1, onOne.durable.length));
    await Promise.all([onOne.close(), onTwo.close()]);
  });

  it('a client still gets every frame after another client of the session on its instance has left', async () => {
    const { owner, other, turnId } = await midTurn();
    const neighbour = await TestClient.greet(two.url, { session_id: owner.sessionId, after: 0 });
    await neighbour.waitForType('delta');
    await neighbour.close();
    owner.send({ type: 'cancel' });
    expect(await other.completed('long')).toMatchObject({ type: 'turn.cancelled', turn_id: turnId });
    expect(other.offsets()).toEqual(countUp(1, other.durable.length));
    await Promise.all([owner.close(), other.close()]);
  });

  it('a second message under the policy reject is refused as busy and retryable, on the owner and on the other instance', async () => {
    const { owner, other } = await midTurn();
    for (const client of [owner, other]) {
      client.message('second', 'Are you done?', { policy: 'reject' });
      const refusal = await client.refused('second');
      expect(refusal).toMatchObject({ code: 'session_busy', retryable: true, message_id: 'second' });
    }
    owner.send({ type: 'cancel' });
    await Promise.all([owner.completed('long'), other.completed('long')]);
    for (const client of [owner, other])
      expect(
        client.durable.filter((frame) => 'message_id' in frame && frame.message_id === 'second'),
      ).toEqual([]);
    await Promise.all([owner.close(), other.close()]);
  });

  it('the refusal of a regenerate names its id, on the owner and on the other instance', async () => {
    const { owner, other } = await midTurn();
    for (const client of [owner, other]) {
      client.send({ type: 'regenerate', id: 'again' });
      expect(await client.refused('again')).toMatchObject({ code: 'session_busy', retryable: true });
    }
    owner.send({ type: 'cancel' });
    await Promise.all([owner.completed('long'), other.completed('long')]);
    await Promise.all([owner.close(), other.close()]);
  });

  it('a client that extends a busy session gets its new deadlines, on the owner and on the other instance', async () => {
    const { owner, other } = await midTurn();
    for (const [client, bystander] of [
      [owner, other],
      [other, owner],
    ] as const) {
      const seen = bystander.frames.filter(({ type }) => type === 'extended').length;
      client.send({ type: 'extend' });
      const { expires_at, absolute_expires_at } = await client.waitForType('extended');
      expect(absolute_expires_at).toBe(owner.welcome.absolute_expires_at);
      expect(expires_at).toBeGreaterThan(owner.welcome.expires_at);
      expect(bystander.frames.filter(({ type }) => type === 'extended')).toHaveLength(seen);
    }
    owner.send({ type: 'cancel' });
    await Promise.all([owner.completed('long'), other.completed('long')]);
    await Promise.all([owner.close(), other.close()]);
  });

  it.each([
    ['the same instance', () => one],
    ['the other instance', () => two],
  ])('a client that connects again on %s closes its older connection', async (_, instance) => {
    const client_id = `tablet-${randomUUID()}`;
    const older = await TestClient.greet(one.url, { client_id });
    const bystander = await TestClient.greet(one.url, { session_id: older.sessionId, client_id: 'another' });
    const newer = await TestClient.greet(instance().url, {
      session_id: older.sessionId,
      client_id,
      after: 0,
    });
    expect(await older.closed).toMatchObject({ code: 4009 });
    expect(older.frames.at(-1)).toMatchObject({ type: 'error', code: 'replaced', retryable: false });
    newer.message('m', 'Still here');
    expect(await newer.completed('m')).toMatchObject({ type: 'turn.completed' });
    expect(await bystander.completed('m')).toMatchObject({ type: 'turn.completed' });
    await Promise.all([newer.close(), bystander.close()]);
  });

  it.each([
    ['the same instance', () => one],
    ['the other instance', () => two],
  ])('a client without a user reads nothing of a session that gets its owner on %s', async (_, instance) => {
    const unnamed = await TestClient.greet(one.url);
    const owner = await TestClient.greet(instance().url, {
      session_id: unnamed.sessionId,
      user_id: 'nurse-12',
    });
    expect(await unnamed.closed).toEqual({ code: 4003, reason: 'forbidden' });
    expect(unnamed.frames.at(-1)).toMatchObject({ type: 'error', code: 'forbidden' });
    owner.message('m', 'Only for me');
    expect(await owner.completed('m')).toMatchObject({ type: 'turn.completed' });
    expect(JSON.stringify(unnamed.frames)).not.toContain('Only for me');
    await owner.close();
  });

  it('an HTTP request without a user still gets its answer if its session gets an owner meanwhile', async () => {
    const session_id = randomUUID();
    const answer = fetch(`${one.http}/api/protocol`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ session_id, chief_complaint: '[[fault:tps=40,tokens=80]] knee pain' }),
    });
    await eventually(
      'the turn runs',
      () => running(simulator.url),
      (count) => count === 1,
    );
    const owner = await TestClient.greet(one.url, { session_id, user_id: 'nurse-12' });
    expect((await answer).status).toBe(200);
    await owner.close();
  });

  it('either instance returns the same record of an open session', async () => {
    const who = { client_id: 'tablet-7', user_id: 'nurse-12', diagnosis_id: 'ICD-M25.5' };
    const client = await TestClient.greet(one.url, who);
    client.message('m', 'Good morning');
    await client.completed('m');
    const { offset } = await calm(client);
    const read = async (instance: Instance): Promise<Readonly<Record<string, unknown>>> => {
      const response = await fetch(`${instance.http}/api/session/${client.sessionId}`);
      expect(response.status).toBe(200);
      return (await response.json()) as Readonly<Record<string, unknown>>;
    };
    const record = await read(one);
    expect(await read(two)).toEqual(record);
    const { welcome } = client;
    expect(record).toMatchObject({
      session_id: client.sessionId,
      ...who,
      created_at: welcome.created_at,
      connected_at: welcome.created_at,
      state: 'connected',
      conversation_count: 1,
      is_active: true,
      absolute_expires_at: welcome.absolute_expires_at,
      offset,
    });
    expect(record.last_activity_at).toBeGreaterThanOrEqual(welcome.created_at);
    expect(record.expires_at).toBeGreaterThanOrEqual(welcome.expires_at);
    await client.close();
  });

  it('a close on the instance that is not the owner ends the session for all clients', async () => {
    const { owner, other } = await midTurn();
    owner.send({ type: 'cancel' });
    await Promise.all([calm(owner), calm(other)]);
    other.send({ type: 'close' });
    for (const client of [owner, other]) {
      expect(await client.closed).toMatchObject({ code: 1000 });
      expect(client.frames.at(-1)).toMatchObject({ type: 'expired', reason: 'closed' });
      expect(client.offsets()).toEqual(countUp(1, client.durable.length));
    }
    expect(other.durable).toEqual(owner.durable);
    await isGone(owner.sessionId);
  });

  it('a close in the middle of a turn ends the session, and the other client sees no gap', async () => {
    const { owner, other } = await midTurn();
    other.send({ type: 'close' });
    for (const client of [owner, other]) expect(await client.closed).toMatchObject({ code: 1000 });
    expect(owner.frames.at(-1)).toMatchObject({ type: 'expired', reason: 'closed' });
    expect(await owner.completed('long')).toMatchObject({ type: 'turn.cancelled', reason: 'client' });
    expect(owner.offsets()).toEqual(countUp(1, owner.durable.length));
    // The log is deleted with the session, so the follower may miss the last text.
    expect(other.durable).toEqual(owner.durable.slice(0, other.durable.length));
    await isGone(owner.sessionId);
  });

  async function isGone(sessionId: string): Promise<void> {
    await eventually(
      'no trace is left',
      () => tracesOf(redis.url, sessionId),
      (keys) => keys.length === 0,
    );
    await eventually(
      'the upstream is free',
      () => running(simulator.url),
      (count) => count === 0,
    );
    for (const { http } of [one, two])
      expect((await fetch(`${http}/api/session/${sessionId}`)).status).toBe(404);
  }
});
