/** Sessions expire, with real clocks and short deadlines. The tests assert order and count, never times. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { type Instance, startInstance } from '../support/instance/instance.ts';
import { countUp, eventually, tracesOf } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

describe('life of a session', () => {
  const [redis] = started(startRedis);
  const idling = () =>
    startInstance({
      REDIS_URL: redis.url,
      SESSION_IDLE_MS: '5000',
      SESSION_WARN_MS: '2000',
      LEASE_MS: '1000',
      HIBERNATE_MS: '300',
      SIMULATOR_TOKENS_PER_SECOND: '0',
    });
  const [one, two, brief] = started(idling, idling, () =>
    startInstance({ SESSION_ABSOLUTE_MS: '4000', SESSION_WARN_MS: '1500' }),
  );

  interface SessionRecord {
    readonly state: string;
    readonly expires_at: number;
    readonly absolute_expires_at: number;
    readonly is_active: boolean;
  }
  async function recordOf(instance: Instance, sessionId: string): Promise<SessionRecord | null> {
    const response = await fetch(`${instance.http}/api/session/${sessionId}`);
    return response.status === 404 ? null : ((await response.json()) as SessionRecord);
  }

  /** Waits for the end of the session; resolves with the frames that announced it, in order. */
  async function ending(client: TestClient) {
    expect(await client.closed).toMatchObject({ code: 4011 });
    expect(client.frames.at(-1)?.type).toBe('expired');
    expect(client.offsets()).toEqual(countUp(1, client.durable.length));
    return client.durable.filter(({ type }) => type === 'expiring' || type === 'expired');
  }

  it('an idle session warns its clients once and expires once, with the same frames on two instances', async () => {
    const client = await TestClient.greet(one.url, { after: 0 });
    client.message('m', 'Good morning');
    await client.completed('m');
    const other = await TestClient.greet(two.url, { session_id: client.sessionId, after: 0 });
    const said = await ending(client);
    expect(said).toMatchObject([
      { type: 'expiring', reason: 'idle', expires_at: other.welcome.expires_at },
      { type: 'expired', reason: 'idle' },
    ]);
    expect(await ending(other)).toEqual(said);
    expect(await recordOf(two, client.sessionId)).toBeNull();
  });

  it('a session that expires with no client connected leaves nothing in Redis', async () => {
    const client = await TestClient.greet(one.url, { after: 0 });
    const { sessionId } = client;
    await client.close();
    await eventually(
      'it is idle',
      () => recordOf(two, sessionId),
      (record) => record?.state === 'idle',
    );
    await eventually(
      'no trace is left',
      () => tracesOf(redis.url, sessionId),
      (keys) => keys.length === 0,
    );
    expect(await recordOf(one, sessionId)).toBeNull();
  });

  it('the id of an expired session opens a new session: not resumed, with offsets from one', async () => {
    const client = await TestClient.greet(one.url, { after: 0 });
    const { sessionId } = client;
    await ending(client);
    const again = await TestClient.greet(two.url, { session_id: sessionId, after: client.durable.length });
    expect(again.welcome).toMatchObject({
      session_id: sessionId,
      resumed: false,
      state: 'connected',
      offset: 1,
    });
    again.message('m', 'Good morning');
    const end = await again.completed('m');
    expect(again.turnText(end.turn_id)).not.toContain('Earlier');
    expect(again.offsets().slice(0, 3)).toEqual([1, 2, 3]);
    again.send({ type: 'close' });
    expect(await again.closed).toMatchObject({ code: 1000 });
  });

  it('an unknown session id that a client names opens a session under that id', async () => {
    const sessionId = randomUUID();
    const client = await TestClient.greet(one.url, { session_id: sessionId.toUpperCase() });
    expect(client.welcome).toMatchObject({ session_id: sessionId, resumed: false, offset: 1 });
    await client.close();
  });

  it('a client that extends its session in time moves the idle deadline but not the absolute one', async () => {
    const client = await TestClient.greet(one.url, { after: 0 });
    const { sessionId } = client;
    const before = await recordOf(two, sessionId);
    const warning = await client.waitForType('expiring');
    expect(warning.expires_at).toBe(before?.expires_at);
    client.send({ type: 'extend' });
    const extended = await eventually(
      'the extension',
      () => recordOf(two, sessionId),
      (record) => record === null || record.expires_at > warning.expires_at,
    );
    expect(extended).toMatchObject({ is_active: true, absolute_expires_at: before?.absolute_expires_at });
    expect(await client.waitForType('extended')).toEqual({
      type: 'extended',
      expires_at: extended?.expires_at,
      absolute_expires_at: extended?.absolute_expires_at,
    });
    expect(await ending(client)).toMatchObject([
      { type: 'expiring', expires_at: warning.expires_at },
      { type: 'expiring', expires_at: extended?.expires_at },
      { type: 'expired', reason: 'idle' },
    ]);
  });

  it('a busy session expires at its absolute deadline: its clients first get the failed turn', async () => {
    const client = await TestClient.greet(brief.url, { after: 0 });
    client.message('m', '[[fault:tps=20,tokens=2000]] A long story please');
    for (let times = 0; times < 5; times += 1) client.send({ type: 'extend' });
    expect(await ending(client)).toMatchObject([
      { type: 'expiring', reason: 'absolute', expires_at: client.welcome.absolute_expires_at },
      { type: 'expired', reason: 'absolute' },
    ]);
    expect(await client.completed('m')).toMatchObject({
      type: 'turn.failed',
      error: { code: 'session_expired' },
    });
  });
});
