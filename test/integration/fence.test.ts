/**
 * The fence refuses an owner that was paused past its lease, whatever it still believes. Under SIGSTOP the owner
 * cannot notice: its clock, sockets and half-sent answer continue as if nothing had happened.
 */
import { describe, expect, it } from 'vitest';
import type { DurableFrame } from '../../src/protocol/server-frames.ts';
import { TestClient } from '../support/instance/client.ts';
import { startInstance, startSimulatorProcess } from '../support/instance/instance.ts';
import { countUp, eventually, metric, plainAnswer, textOf, withRedis } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

describe('owner paused past its lease', () => {
  const [redis, simulator] = started(startRedis, () => startSimulatorProcess({ SIMULATOR_TOKENS: '40' }));
  const launch = () =>
    startInstance({
      REDIS_URL: redis.url,
      VLLM_BASE_URL: simulator.url,
      LEASE_MS: '2000',
      HIBERNATE_MS: '120000',
    });
  const [owner, heir] = started(launch, launch);

  const fencedAtOwner = () => metric(owner.http, 'rehydra_actors_stopped_total', { reason: 'fenced' });

  /** Resumes the owner until it is fenced; resolves with the frames that its client had by then. */
  async function goOn(client: TestClient): Promise<readonly DurableFrame[]> {
    owner.kill('SIGCONT');
    await eventually('the owner to run again', members, (alive) => alive.includes(owner.instanceId));
    expect(await client.closed).toMatchObject({ code: 1012 });
    expect(client.frames.at(-1)).toMatchObject({ type: 'error', code: 'session_moved', retryable: true });
    return client.durable;
  }

  const members = () => withRedis(redis.url, (client) => client.zrange('rehydra:instances', '0', '-1'));

  /** Waits, because the log comes through another pipe than the metrics. */
  async function expectLogSays(sessionId: string): Promise<void> {
    const said = () =>
      owner.logs.filter((line) => line.includes(sessionId) && line.includes('"reason":"fenced"'));
    await eventually('it is logged', said, (lines) => lines.length > 0);
    expect(said()).toHaveLength(1);
  }

  function expectVersionsGrow(log: readonly DurableFrame[]): void {
    const versions = log.flatMap((frame) => (frame.type === 'state' ? [frame.version] : []));
    expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
    expect(versions.length).toBeGreaterThan(2);
  }

  /** Resolves with the log, once the old client and a reconnecting one both have exactly its frames. */
  async function expectWhole(
    sessionId: string,
    before: readonly DurableFrame[],
  ): Promise<readonly DurableFrame[]> {
    const returning = await TestClient.greet(owner.url, { session_id: sessionId, after: before.length });
    const reader = await TestClient.greet(heir.url, { session_id: sessionId, after: 0 });
    const { offset } = reader.welcome;
    const isThere = (client: TestClient) =>
      eventually(
        'the log',
        // A client that had the whole log before its socket closed receives no frame again.
        () => client.durable.at(-1)?.offset ?? (client === returning ? before.length : 0),
        (last) => last >= offset,
      );
    await Promise.all([isThere(returning), isThere(reader)]);
    const log = reader.durable;
    expect(reader.offsets()).toEqual(countUp(1, log.length));
    expect([...before, ...returning.durable].slice(0, offset)).toEqual(log.slice(0, offset));
    await Promise.all([returning.close(), reader.close()]);
    return log;
  }

  it('an owner paused past its lease in the middle of a turn is fenced: the new owner has finished the turn and the next one', async () => {
    const content = '[[fault:tps=40,tokens=140]] A longer story please';
    const client = await TestClient.greet(owner.url, { after: 0 });
    const { sessionId } = client;
    const fencedBefore = await fencedAtOwner();
    client.message('first', content);
    for (let deltas = 0; deltas < 3; deltas += 1) await client.waitForType('delta');
    owner.kill('SIGSTOP');

    const other = await TestClient.greet(heir.url, { session_id: sessionId, after: 0 });
    other.message('second', 'And then?');
    const first = await other.completed('first');
    const second = await other.completed('second');
    expect([first.type, second.type]).toEqual(['turn.completed', 'turn.completed']);

    const before = await goOn(client);
    expect(before).toEqual(other.durable.slice(0, before.length));
    await eventually('it is counted', fencedAtOwner, (count) => count === fencedBefore + 1);
    await expectLogSays(sessionId);

    const log = await expectWhole(sessionId, before);
    expect(log.slice(0, other.durable.length)).toEqual(other.durable.slice(0, log.length));
    expectVersionsGrow(log);
    const answer = await plainAnswer(simulator.url, [{ role: 'user', content }]);
    expect(textOf(log, first.turn_id)).toBe(answer);
    const history = [
      { role: 'user', content },
      { role: 'assistant', content: answer },
      { role: 'user', content: 'And then?' },
    ] as const;
    expect(textOf(log, second.turn_id)).toBe(await plainAnswer(simulator.url, history));
    await other.close();
  });

  it('an owner paused past its lease while its session was quiet is fenced: the new owner has answered a message meanwhile', async () => {
    const client = await TestClient.greet(owner.url, { after: 0 });
    const { sessionId } = client;
    const fencedBefore = await fencedAtOwner();
    client.message('first', 'Good morning');
    await client.completed('first');
    await client.waitFor((frame) => frame.type === 'state' && frame.value === 'connected', 'calm', {
      from: client.frames.length - 1,
    });
    owner.kill('SIGSTOP');

    const other = await TestClient.greet(heir.url, { session_id: sessionId, after: 0 });
    other.message('second', 'Anybody else?');
    const second = await other.completed('second');
    expect(second.type).toBe('turn.completed');

    const before = await goOn(client);
    expect(before).toEqual(other.durable.slice(0, before.length));
    await eventually('it is counted', fencedAtOwner, (count) => count === fencedBefore + 1);
    await expectLogSays(sessionId);
    const log = await expectWhole(sessionId, before);
    expectVersionsGrow(log);
    expect(log.filter((frame) => frame.type === 'turn.completed')).toHaveLength(2);
    await other.close();
  });
});
