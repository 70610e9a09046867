/** A client continues its conversation on either instance, from the very next frame. */
import { describe, expect, it } from 'vitest';
import { TestClient, type TurnEnd } from '../support/instance/client.ts';
import { startInstance, startSimulatorProcess } from '../support/instance/instance.ts';
import {
  countUp,
  eventually,
  plainAnswer,
  running,
  type Said,
  textOf,
} from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

describe('one conversation on two instances', () => {
  const [redis, simulator] = started(startRedis, () =>
    startSimulatorProcess({ SIMULATOR_TOKENS: '80', SIMULATOR_TOKENS_PER_SECOND: '0' }),
  );
  const launch = () => startInstance({ REDIS_URL: redis.url, VLLM_BASE_URL: simulator.url });
  const [one, two] = started(launch, launch);

  /** Sends a message, waits, and resolves with the answer. */
  async function say(client: TestClient, id: string, content: string, history: Said[]): Promise<string> {
    client.message(id, content);
    const end = await client.completed(id);
    expect(end.type).toBe('turn.completed');
    history.push({ role: 'user', content });
    expect(client.turnText(end.turn_id)).toBe(await plainAnswer(simulator.url, history));
    history.push({ role: 'assistant', content: client.turnText(end.turn_id) });
    return client.turnText(end.turn_id);
  }

  it('a client that resumes after k on another instance gets exactly the frames k + 1 …, and can talk on there and back', async () => {
    const history: Said[] = [];
    const first = await TestClient.greet(one.url, { after: 0 });
    const { sessionId } = first;
    await say(first, 'm-1', 'My knee hurts since Tuesday', history);
    expect(await say(first, 'm-2', 'And it is swollen', history)).toContain('My knee hurts since Tuesday');
    const seen = first.durable;
    await first.close();

    const after = seen[4]?.offset ?? 0;
    const second = await TestClient.greet(two.url, { session_id: sessionId, after });
    expect(second.welcome).toMatchObject({ resumed: true, instance: two.instanceId });
    await say(second, 'm-3', 'Should I cool it?', history);
    const ofSecond = second.durable;
    expect(ofSecond.slice(0, seen.length - 5)).toEqual(seen.slice(5));
    expect(second.offsets()).toEqual(countUp(after + 1, after + ofSecond.length));
    await second.close();

    const last = ofSecond.at(-1)?.offset ?? 0;
    const third = await TestClient.greet(one.url, { session_id: sessionId, after: last });
    expect(third.welcome).toMatchObject({ resumed: true, instance: one.instanceId });
    expect(await say(third, 'm-4', 'Thank you', history)).toContain('Should I cool it');
    expect(third.offsets()).toEqual(countUp(last + 1, last + third.durable.length));
    await third.close();
  });

  it.each([
    ['by a clean close', (client: TestClient) => void client.close()],
    ['by a TCP connection that is cut', (client: TestClient) => client.drop()],
  ])(
    'a client that moves to another instance in the middle of a turn gets the byte-exact text: %s',
    async (_, leave) => {
      const content = '[[fault:tps=50,tokens=240]] Tell me — naïvely — about 🦵 and ＡＢＣ';
      const first = await TestClient.greet(one.url, { after: 0 });
      const { sessionId } = first;
      first.message('moving', content);
      const frames = [...(await partOf(first, 3))];
      leave(first);
      const second = await TestClient.greet(two.url, { session_id: sessionId, after: frames.length });
      expect(second.welcome.state).toBe('processing');
      frames.push(...(await partOf(second, 3)));
      leave(second);
      const third = await TestClient.greet(one.url, { session_id: sessionId, after: frames.length });
      expect(third.welcome.state).toBe('processing');
      const end: TurnEnd = await third.completed('moving');
      frames.push(...third.durable);

      expect(end.type).toBe('turn.completed');
      expect(frames.map((frame) => frame.offset)).toEqual(countUp(1, frames.length));
      expect(textOf(frames, end.turn_id)).toBe(await plainAnswer(simulator.url, [{ role: 'user', content }]));
      await third.close();
    },
  );

  /** The text that a client has after this many deltas. */
  async function partOf(client: TestClient, deltas: number) {
    for (let count = 0; count < deltas; count += 1) await client.waitForType('delta');
    return client.durable;
  }

  it('a cancel that is sent to the other instance ends the turn, stops the model server, and keeps the text so far', async () => {
    const content = '[[fault:tps=40,tokens=1500]] A long story please';
    const owner = await TestClient.greet(one.url, { after: 0 });
    owner.message('long', content);
    const { turn_id } = await owner.waitForType('turn.started');
    const other = await TestClient.greet(two.url, { session_id: owner.sessionId, after: 0 });
    await other.waitForType('delta');
    expect(await running(simulator.url)).toBe(1);

    other.send({ type: 'cancel', turn_id });
    for (const client of [owner, other])
      expect(await client.completed('long')).toMatchObject({
        type: 'turn.cancelled',
        turn_id,
        reason: 'client',
      });
    await eventually(
      'the upstream request ends',
      () => running(simulator.url),
      (count) => count === 0,
    );

    const kept = owner.turnText(turn_id);
    expect(other.turnText(turn_id)).toBe(kept);
    other.message('next', 'What did you say?');
    const next = await other.completed('next');
    const history: readonly Said[] = [
      { role: 'user', content },
      { role: 'assistant', content: kept },
      { role: 'user', content: 'What did you say?' },
    ];
    expect(other.turnText(next.turn_id)).toBe(await plainAnswer(simulator.url, history));
    await Promise.all([owner.close(), other.close()]);
  });
});
