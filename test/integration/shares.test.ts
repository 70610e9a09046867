/**
 * An owner shares a session, on two instances on Redis. The lease is so long that no timer repairs a loss: instances
 * learn of each other's writes only by the log and its hints.
 */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { shareSchema, sharesSchema } from '../../src/http/sessions/share-routes.ts';
import { type Frame, TestClient } from '../support/instance/client.ts';
import { ask, get, post, problemOf, type Reply } from '../support/instance/http.ts';
import { type Instance, startInstance } from '../support/instance/instance.ts';
import { countUp } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

const [redis] = started(startRedis);
const launch = () =>
  startInstance({
    REDIS_URL: redis.url,
    LEASE_MS: '120000',
    SIMULATOR_TOKENS: '24',
    SIMULATOR_TOKENS_PER_SECOND: '0',
  });
const [one, two] = started(launch, launch);

interface Pair {
  readonly owner: TestClient;
  readonly guest: TestClient;
  readonly share_id: string;
}

const sharesOf = (instance: Instance, sessionId: string) =>
  `${instance.http}/api/session/${sessionId}/shares`;
const invite = (instance: Instance, sessionId: string, user_id: string, more = {}): Promise<Reply> =>
  post(sharesOf(instance, sessionId), { user_id, invited_by: 'dr-owner', ...more });
const revoke = (
  instance: Instance,
  sessionId: string,
  shareId: string,
  query = '?revoked_by=dr-owner',
): Promise<Reply> => get(`${sharesOf(instance, sessionId)}/${shareId}${query}`, { method: 'DELETE' });
const enter = (instance: Instance, session_id: string, user_id: string) =>
  TestClient.greet(instance.url, { session_id, user_id, after: 0 });

/** Connects the owner on one instance and an invited guest on another. */
async function shared(
  access: 'read' | 'write',
  ownerOn: Instance = one,
  guestOn: Instance = two,
): Promise<Pair> {
  const owner = await TestClient.greet(ownerOn.url, { user_id: 'dr-owner', after: 0 });
  const reply = await invite(guestOn, owner.sessionId, 'dr-guest', { access });
  expect(reply.status).toBe(201);
  const { share_id } = shareSchema.parse(reply.body);
  const guest = await enter(guestOn, owner.sessionId, 'dr-guest');
  return { owner, guest, share_id };
}

const presenceOf = (client: TestClient) =>
  client.frames.flatMap((frame) => (frame.type === 'presence' ? [`${frame.user_id} ${frame.event}`] : []));
const isPresence = (event: 'joined' | 'left') => (frame: { readonly type: string }) =>
  frame.type === 'presence' && (frame as Frame<'presence'>).event === event;

describe('two users in one session', () => {
  it('two users of a shared session get the same durable frames, byte for byte, with the author of each message', async () => {
    const { owner, guest } = await shared('write');
    owner.message('a', 'Chest pain since this morning');
    await guest.completed('a');
    guest.message('b', 'Is there diabetes?');
    await Promise.all([owner.completed('b'), guest.completed('b')]);
    await ask(two.http, {
      session_id: owner.sessionId,
      user_id: 'dr-guest',
      chief_complaint: 'hypertension',
    });
    const isThird = (frame: { readonly type: string }) =>
      frame.type === 'turn.completed' && (frame as Frame<'turn.completed'>).metadata.conversation_count === 3;
    await Promise.all([owner, guest].map((client) => client.waitFor(isThird, 'the third turn', { from: 0 })));

    const last = Math.min(owner.offsets().at(-1)!, guest.offsets().at(-1)!);
    const sequence = (client: TestClient) =>
      client.durable.filter(({ offset }) => offset <= last).map((frame) => JSON.stringify(frame));
    expect(sequence(guest)).toEqual(sequence(owner));
    expect(owner.offsets()).toEqual(countUp(1, owner.offsets().at(-1)!));
    const authors = owner.durable.flatMap((frame) => (frame.type === 'turn.started' ? [frame.author] : []));
    expect(authors).toEqual(['dr-owner', 'dr-guest', 'dr-guest']);
    await Promise.all([owner.close(), guest.close()]);
  });

  it('a user of a shared session gets one presence frame when the other joins and leaves, however many sockets the other has', async () => {
    const { owner, guest } = await shared('read');
    await owner.waitFor(isPresence('joined'), 'the guest');
    const second = await enter(one, owner.sessionId, 'dr-guest');
    await second.close();
    await guest.close();
    await owner.waitFor(isPresence('left'), 'the guest leaving');
    expect(presenceOf(owner)).toEqual(['dr-guest joined', 'dr-guest left']);
    const { body } = await get(sharesOf(two, owner.sessionId));
    expect(sharesSchema.parse(body).shares).toMatchObject([{ user_id: 'dr-guest', present: false }]);
    await owner.close();
  });
});

describe('guest with read access', () => {
  it('a guest with read access may not write, by socket or over HTTP, on either instance', async () => {
    for (const guestOn of [one, two]) {
      const { owner, guest } = await shared('read', one, guestOn);
      guest.message('m', 'May I?');
      expect(await guest.refused('m')).toMatchObject({ code: 'forbidden', retryable: false });
      const reply = await post(`${guestOn.http}/api/protocol`, {
        session_id: owner.sessionId,
        user_id: 'dr-guest',
        chief_complaint: 'May I?',
      });
      expect(reply.status).toBe(403);
      expect(owner.durable.some(({ type }) => type === 'turn.started')).toBe(false);
      await Promise.all([owner.close(), guest.close()]);
    }
  });
});

describe('guest with read access and the events of the session', () => {
  it.each(['cancel', 'extend', 'close'] as const)(
    'a guest with read access may not send %s, on either instance, and stays connected',
    async (type) => {
      for (const guestOn of [one, two]) {
        const { owner, guest } = await shared('read', one, guestOn);
        owner.message('m', '[[fault:tps=40,tokens=4000]] A long story please');
        await guest.waitForType('delta');
        guest.send({ type });
        expect(await guest.waitForType('error')).toMatchObject({ code: 'forbidden', retryable: false });
        await guest.waitForType('delta');
        owner.send({ type: 'cancel' });
        expect(await owner.completed('m')).toMatchObject({ type: 'turn.cancelled' });
        expect([guest.isOpen, owner.isOpen]).toEqual([true, true]);
        await Promise.all([owner.close(), guest.close()]);
      }
    },
  );

  it('a guest with write access may cancel and extend but not end the session', async () => {
    const { owner, guest } = await shared('write');
    guest.send({ type: 'close' });
    expect(await guest.waitForType('error')).toMatchObject({ code: 'forbidden' });
    guest.send({ type: 'extend' });
    await guest.waitForType('extended');
    owner.message('m', '[[fault:tps=40,tokens=4000]] A long story please');
    await guest.waitForType('delta');
    guest.send({ type: 'cancel' });
    expect(await owner.completed('m')).toMatchObject({ type: 'turn.cancelled' });
    await Promise.all([owner.close(), guest.close()]);
  });
});

describe('client id', () => {
  it('a guest that says the client id of the owner closes no socket of the owner, on either instance', async () => {
    for (const guestOn of [one, two]) {
      const client_id = `tablet-${randomUUID()}`;
      const owner = await TestClient.greet(one.url, { user_id: 'dr-owner', client_id });
      await invite(one, owner.sessionId, 'dr-guest');
      const hello = { session_id: owner.sessionId, user_id: 'dr-guest', client_id };
      const guest = await TestClient.greet(guestOn.url, hello);
      owner.message('m', 'Still here?');
      await Promise.all([owner.completed('m'), guest.completed('m')]);
      expect(owner.isOpen).toBe(true);
      const again = await TestClient.greet(guestOn.url, hello);
      expect(await guest.closed).toMatchObject({ code: 4009 });
      await Promise.all([owner.close(), again.close()]);
    }
  });
});

describe('stranger', () => {
  it('a client that leaves out the name may not enter a session that has a user, by socket or over HTTP, on either instance', async () => {
    const { owner, guest, share_id } = await shared('write');
    await revoke(one, owner.sessionId, share_id);
    await guest.closed;
    for (const instance of [one, two]) {
      const nameless = await TestClient.open(instance.url);
      nameless.send({ type: 'hello', session_id: owner.sessionId, after: 0 });
      expect(await nameless.closed).toMatchObject({ code: 4003 });
      expect(nameless.frames).toMatchObject([{ type: 'error', code: 'forbidden' }]);
      const turn = { session_id: owner.sessionId, chief_complaint: 'hm' };
      expect((await post(`${instance.http}/api/protocol`, turn)).status).toBe(403);
    }
    expect(owner.isOpen).toBe(true);
    await owner.close();
  });

  it('a user without an invitation may not enter a session, by socket or over HTTP, on either instance', async () => {
    const owner = await TestClient.greet(one.url, { user_id: 'dr-owner' });
    for (const instance of [one, two]) {
      const stranger = await TestClient.open(instance.url);
      stranger.send({ type: 'hello', session_id: owner.sessionId, user_id: 'dr-nobody', after: 0 });
      expect(await stranger.closed).toMatchObject({ code: 4003 });
      expect(stranger.frames).toMatchObject([{ type: 'error', code: 'forbidden' }]);
      const reply = await post(`${instance.http}/api/protocol`, {
        session_id: owner.sessionId,
        user_id: 'dr-nobody',
        chief_complaint: 'hm',
      });
      expect(reply.status).toBe(403);
    }
    await owner.close();
  });
});

describe('revoked invitation', () => {
  it.each([
    ['the owner’s instance', 'the owner’s instance', () => one, () => one],
    ['the owner’s instance', 'the other instance', () => one, () => two],
    ['the other instance', 'the other instance', () => two, () => two],
    ['the other instance', 'the owner’s instance', () => two, () => one],
  ])(
    'an invitation revoked on %s closes every socket of the guest on %s, and the guest may not return',
    async (_, __, revokeAt, guestAt) => {
      const { owner, guest, share_id } = await shared('write', one, guestAt());
      const second = await enter(guestAt(), owner.sessionId, 'dr-guest');
      const reply = await revoke(revokeAt(), owner.sessionId, share_id);
      expect(reply).toMatchObject({ status: 200, body: { share_id, revoked: true } });
      for (const client of [guest, second]) {
        expect(await client.closed).toMatchObject({ code: 4003 });
        expect(client.durable.at(-1)).toMatchObject({ type: 'unshared', user_id: 'dr-guest' });
      }
      await owner.waitFor(isPresence('left'), 'the guest leaving');
      const again = await TestClient.open(guestAt().url);
      again.send({ type: 'hello', session_id: owner.sessionId, user_id: 'dr-guest' });
      expect(await again.closed).toMatchObject({ code: 4003 });
      expect(owner.isOpen).toBe(true);
      await owner.close();
    },
  );

  it('a guest whose invitation is revoked during a turn gets no later frame', async () => {
    const { owner, guest, share_id } = await shared('read');
    owner.message('long', '[[fault:tps=40,tokens=4000]] A long story please');
    await guest.waitForType('delta');
    await revoke(two, owner.sessionId, share_id);
    expect(await guest.closed).toMatchObject({ code: 4003 });
    expect(guest.durable.at(-1)).toMatchObject({ type: 'unshared' });
    owner.send({ type: 'close' });
    await owner.closed;
  });

  it('a guest with a new invitation after a revocation reads the whole log, including the revocation', async () => {
    const { owner, guest, share_id } = await shared('read');
    await revoke(one, owner.sessionId, share_id);
    await guest.closed;
    await invite(one, owner.sessionId, 'dr-guest');
    for (const instance of [one, two]) {
      const again = await enter(instance, owner.sessionId, 'dr-guest');
      owner.message(`to-${instance.instanceId}`, 'Welcome back');
      expect(await again.completed(`to-${instance.instanceId}`)).toMatchObject({ type: 'turn.completed' });
      expect(again.durable.some(({ type }) => type === 'unshared')).toBe(true);
      await again.close();
    }
    await owner.close();
  });

  it('revoking an invitation twice, or one that never existed, gets 404', async () => {
    const { owner, guest, share_id } = await shared('read');
    expect((await revoke(one, owner.sessionId, share_id)).status).toBe(200);
    expect((await revoke(two, owner.sessionId, share_id)).status).toBe(404);
    expect((await revoke(one, owner.sessionId, randomUUID())).status).toBe(404);
    await guest.closed;
    await owner.close();
  });
});

describe('invitation', () => {
  it.each([
    ['the owner’s instance', () => one],
    ['the other instance', () => two],
  ])('an invitation expires on time for a guest on %s', async (_, guestOn) => {
    const owner = await TestClient.greet(one.url, { user_id: 'dr-owner' });
    await invite(one, owner.sessionId, 'dr-guest', { expires_in_ms: 4_000 });
    const guest = await enter(guestOn(), owner.sessionId, 'dr-guest');
    expect(await guest.closed).toMatchObject({ code: 4003 });
    const { body } = await get(sharesOf(two, owner.sessionId));
    expect(body).toEqual({ shares: [] });
    await owner.close();
  });

  it('a longer invitation replaces a shorter one: the connected guest stays and gets the new access', async () => {
    const owner = await TestClient.greet(one.url, { user_id: 'dr-owner', after: 0 });
    await invite(one, owner.sessionId, 'dr-guest', { expires_in_ms: 5_000 });
    const guest = await enter(two, owner.sessionId, 'dr-guest');
    const brief = await TestClient.greet(two.url, { user_id: 'dr-owner' });
    await invite(two, brief.sessionId, 'dr-clock', { expires_in_ms: 5_000 });
    const clock = await enter(two, brief.sessionId, 'dr-clock');
    await invite(two, owner.sessionId, 'dr-guest', { access: 'write' });
    // A later invitation of the same length has expired, so the replaced one would have expired too.
    await clock.closed;
    guest.message('m', 'Still here, and I may write');
    expect(await guest.completed('m')).toMatchObject({ type: 'turn.completed' });
    await Promise.all([owner.close(), guest.close(), brief.close()]);
  });

  it.each([
    ['by a guest', { invited_by: 'dr-guest' }, 403, 'forbidden'],
    ['by a stranger', { invited_by: 'dr-nobody' }, 403, 'forbidden'],
    ['without the name of the owner', { invited_by: undefined }, 403, 'forbidden'],
    ['of the owner', { user_id: 'dr-owner' }, 400, 'bad_request'],
    ['without a user', { user_id: '' }, 400, 'bad_request'],
    ['to own', { access: 'own' }, 400, 'bad_request'],
    ['without an end', { expires_in_ms: 1e12 }, 400, 'bad_request'],
  ])('an invitation %s is refused', async (_, fields, status, code) => {
    const { owner, guest } = await shared('write');
    for (const instance of [one, two]) {
      const reply = await invite(instance, owner.sessionId, 'dr-third', fields);
      expect(reply.status).toBe(status);
      expect(problemOf(reply).code).toBe(code);
    }
    await Promise.all([owner.close(), guest.close()]);
  });

  it('only the owner can revoke an invitation', async () => {
    const { owner, guest, share_id } = await shared('write');
    const reply = await revoke(two, owner.sessionId, share_id, '?revoked_by=dr-guest');
    expect(problemOf(reply).code).toBe('forbidden');
    expect(problemOf(await revoke(two, owner.sessionId, share_id, '')).code).toBe('forbidden');
    expect((await revoke(two, owner.sessionId, share_id)).status).toBe(200);
    await guest.closed;
    await owner.close();
  });

  it('an invitation to a session without an owner is refused, and to an unknown session not found', async () => {
    const client = await TestClient.greet(one.url);
    expect((await invite(two, client.sessionId, 'dr-guest')).status).toBe(403);
    expect((await invite(two, randomUUID(), 'dr-guest')).status).toBe(404);
    expect((await get(sharesOf(two, randomUUID()))).status).toBe(404);
    await client.close();
  });

  it('a seventeenth guest is refused, but one of the sixteen can be invited again', async () => {
    const owner = await TestClient.greet(one.url, { user_id: 'dr-owner' });
    for (let guest = 1; guest <= 16; guest += 1)
      expect((await invite(guest % 2 === 0 ? one : two, owner.sessionId, `dr-${guest}`)).status).toBe(201);
    for (const instance of [one, two]) {
      const reply = await invite(instance, owner.sessionId, 'dr-17');
      expect(reply.status).toBe(409);
      expect(problemOf(reply).code).toBe('too_many_shares');
      expect((await invite(instance, owner.sessionId, 'dr-3', { access: 'write' })).status).toBe(201);
    }
    await owner.close();
  });
});
