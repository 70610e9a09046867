/** No client and no model server sees a transition before Redis has acknowledged it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ServerFrame } from '../../src/protocol/server-frames.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { TestClient } from '../support/instance/client.ts';
import { type Instance, startInstance } from '../support/instance/instance.ts';
import { countUp, eventually, metric } from '../support/instance/observed.ts';
import { startProxy, type TcpProxy } from '../support/instance/proxy.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';

/** Longer than the store's timeout for one command, which is three seconds. */
const REFUSED_WITHIN_MS = 60_000;

describe('output gate and a silent Redis', () => {
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

  /** Starts an instance that reaches Redis only through the proxy, and a client that has had one turn. */
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

  /** Counts the durable frames that arrived and the requests that the model received. */
  function seen(): { readonly frames: number; readonly requests: number } {
    return { frames: client.durable.length, requests: simulator.stats().requests };
  }

  /** Sends the message until the store is available again, as a client does. */
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

  /** Attaches another client that reads the log from its beginning, as soon as the store allows it. */
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

  /** Expects one turn for the message in the log, and frames without a gap. */
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

  it('while Redis is frozen no frame and no request leaves; the message is refused as retryable and later taken once', async () => {
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

  it('while an acknowledgement is lost no frame leaves; the instance continues the turn once it knows that the write is stored', async () => {
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

  it('while Redis is unreachable no frame leaves; when it is back the instance takes the message without a restart', async () => {
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

  it('clients get the text of a running turn only as far as Redis has it, and all of it when Redis is back', async () => {
    await afterOneTurn(20_000);
    client.message('m', '[[fault:tps=100,tokens=150]] A longer story please');
    await client.waitForType('delta');
    await redis.kill('SIGSTOP');
    // Acknowledged frames may still be in flight.
    const { requests } = seen();
    await eventually('no more frames', () => client.durable.length, settles());
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
  function settles(): (value: number) => boolean {
    let last = -1;
    let times = 0;
    return (value) => {
      times = value === last ? times + 1 : 0;
      last = value;
      return times >= 50;
    };
  }
});
