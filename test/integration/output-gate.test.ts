/** Nothing of a transition is seen by anybody before the store has acknowledged it: not by a socket, not by the model. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ServerFrame } from '../../src/protocol/server-frames.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { TestClient } from '../support/client.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { countUp, eventually, metric } from '../support/observed.ts';
import { startProxy, type TcpProxy } from '../support/proxy.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';

/** Longer than the store's patience with one command, which is three seconds. */
const REFUSED_WITHIN_MS = 60_000;

describe('the output gate, with a Redis that does not answer', () => {
  let redis: RedisServer;
  let proxy: TcpProxy;
  let simulator: Simulator;
  let instance: Instance;
  let client: TestClient;

  beforeEach(async () => {
    redis = await startRedis();
    proxy = await startProxy(redis.port);
    simulator = await startSimulator({ tokens: 30, tokensPerSecond: 0 });
  });
  afterEach(async () => {
    await redis.kill('SIGCONT');
    await instance?.stop();
    await proxy.stop();
    await Promise.all([simulator.close(), redis.stop()]);
  });

  /** A client at rest after one turn, on an instance whose only way to Redis is the proxy. */
  async function afterOneTurn(leaseMs: number): Promise<void> {
    instance = await startInstance({
      REDIS_URL: `redis://127.0.0.1:${proxy.port}`,
      VLLM_BASE_URL: simulator.url,
      LEASE_MS: String(leaseMs),
    });
    client = await TestClient.greet(instance.url, { after: 0 });
    client.message('before', 'Good morning');
    await client.completed('before');
    await client.waitFor((frame) => frame.type === 'state' && frame.value === 'connected', 'calm', {
      from: client.frames.length - 1,
    });
  }

  /** What has leaked since: durable frames that arrived, requests that the model got. */
  function seen(): { readonly frames: number; readonly requests: number } {
    return { frames: client.durable.length, requests: simulator.stats().requests };
  }

  /** Sends the message until it is no longer refused for the store's sake, as a client does. */
  async function sendUntilTaken(id: string, content: string): Promise<void> {
    for (;;) {
      const from = client.frames.length;
      client.message(id, content);
      const answer = await client.waitFor(
        (frame) => ('message_id' in frame && frame.message_id === id) || frame.type === 'turn.started',
        'an answer',
        { from },
      );
      if (answer.type !== 'error' || answer.code !== 'store_unavailable') return;
    }
  }

  /** Another client that reads the log from its beginning; the store may need another moment for it. */
  async function readAll(): Promise<TestClient> {
    const reader = await TestClient.open(instance.url);
    for (;;) {
      const from = reader.frames.length;
      reader.send({ type: 'hello', session_id: client.sessionId, after: 0 });
      const answer = await reader.waitFor(({ type }) => type === 'welcome' || type === 'error', 'an answer', {
        from,
      });
      if (answer.type === 'welcome') return reader;
      expect(answer).toMatchObject({ code: 'store_unavailable', retryable: true });
    }
  }

  /** In the whole log: one turn for the message, frames without a gap. */
  async function expectOneTurn(id: string): Promise<void> {
    expect(await client.completed(id)).toMatchObject({ type: 'turn.completed' });
    const reader = await readAll();
    await reader.completed(id);
    const of = (type: ServerFrame['type']) =>
      reader.frames.filter(
        (frame) => frame.type === type && 'message_id' in frame && frame.message_id === id,
      );
    expect(of('turn.started')).toHaveLength(1);
    expect(of('turn.completed')).toHaveLength(1);
    expect(reader.offsets()).toEqual(countUp(1, reader.durable.length));
    expect(simulator.stats().bySession[client.sessionId]).toBe(2);
  }

  it('lets nothing out while Redis is frozen, refuses the message as retryable after the lease, and takes it once later', async () => {
    await afterOneTurn(1_000);
    const before = seen();
    await redis.kill('SIGSTOP');
    client.message('m', 'Is anybody there?');
    const refusal = await client.refused('m', REFUSED_WITHIN_MS);
    expect(refusal).toMatchObject({ code: 'store_unavailable', retryable: true });
    expect(seen()).toEqual(before);
    expect(client.isOpen).toBe(true);

    await redis.kill('SIGCONT');
    await sendUntilTaken('m', 'Is anybody there?');
    await expectOneTurn('m');
  });

  it('lets nothing out while the acknowledgement is lost, and goes on by itself once the write is known to stand', async () => {
    await afterOneTurn(20_000);
    const before = seen();
    proxy.loseReplies();
    client.message('m', 'Is anybody there?');
    await eventually(
      'the store is missed',
      () => metric(instance.http, 'rehydra_store_errors_total'),
      (count) => count > 0,
    );
    expect(seen()).toEqual(before);
    await expectOneTurn('m');
    expect(client.frames.filter((frame) => frame.type === 'error')).toEqual([]);
  });

  it('lets nothing out while Redis cannot be reached, and takes the message when it is back without a restart', async () => {
    await afterOneTurn(1_000);
    const before = seen();
    proxy.refuse(true);
    proxy.cut();
    client.message('m', 'Is anybody there?');
    const refusal = await client.refused('m', REFUSED_WITHIN_MS);
    expect(refusal).toMatchObject({ code: 'store_unavailable', retryable: true });
    expect((await fetch(`${instance.http}/readyz`)).status).toBe(503);
    expect((await fetch(`${instance.http}/healthz`)).status).toBe(200);
    expect(seen()).toEqual(before);

    proxy.refuse(false);
    await eventually(
      'ready again',
      async () => (await fetch(`${instance.http}/readyz`)).status,
      (status) => status === 200,
    );
    await sendUntilTaken('m', 'Is anybody there?');
    await expectOneTurn('m');
  });

  it('lets text of a running turn out only as far as it is stored, and ends the turn whole when Redis is back', async () => {
    await afterOneTurn(20_000);
    client.message('m', '[[fault:tps=100,tokens=150]] A longer story please');
    await client.waitForType('delta');
    await redis.kill('SIGSTOP');
    // What Redis had acknowledged may still be on its way to us.
    const { requests } = seen();
    await eventually('no more frames', () => client.durable.length, stands());
    const { frames } = seen();
    await eventually(
      'the answer is ready',
      () => simulator.stats().running,
      (count) => count === 0,
    );
    expect(seen()).toEqual({ frames, requests });
    await redis.kill('SIGCONT');
    await expectOneTurn('m');
  });

  /** True once a value was the same for a second. */
  function stands(): (value: number) => boolean {
    let last = -1;
    let times = 0;
    return (value) => {
      times = value === last ? times + 1 : 0;
      last = value;
      return times >= 50;
    };
  }
});
