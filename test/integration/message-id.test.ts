/** A client that does not know whether its message arrived sends it again: the message starts one turn (G6). */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { type Frame, TestClient } from '../support/instance/client.ts';
import { startInstance } from '../support/instance/instance.ts';
import { eventually, textOf } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

describe('repeated message', () => {
  const [redis, simulator] = started(startRedis, () => startSimulator({ tokens: 40, tokensPerSecond: 100 }));
  const launch = () => startInstance({ REDIS_URL: redis.url, VLLM_BASE_URL: simulator.url });
  const [one, two] = started(launch, launch);

  const content = 'My knee hurts';
  const duplicates = (client: TestClient): readonly Frame<'error'>[] =>
    client.frames.filter((frame) => frame.type === 'error');

  async function expectDuplicates(clients: readonly TestClient[], id: string, count: number): Promise<void> {
    const told = () => clients.flatMap(duplicates);
    await eventually('every duplicate to be refused', told, (errors) => errors.length >= count);
    expect(told()).toHaveLength(count);
    for (const error of told())
      expect(error).toMatchObject({ code: 'duplicate_message', retryable: false, message_id: id });
  }

  /** Expects one turn and one answer in the log, and one request at the model server. */
  async function expectOnce(sessionId: string, id: string): Promise<void> {
    const reader = await TestClient.greet(two.url, { session_id: sessionId, after: 0 });
    const end = await reader.completed(id);
    const { offset } = reader.welcome;
    await eventually(
      'the log',
      () => reader.durable.at(-1)?.offset ?? 0,
      (last) => last >= offset,
    );
    const types = reader.durable
      .filter((frame) => 'message_id' in frame && frame.message_id === id)
      .map((frame) => frame.type);
    expect(types).toEqual(['turn.started', 'turn.completed']);
    expect(textOf(reader.durable, end.turn_id)).not.toBe('');
    expect(reader.durable.filter((frame) => frame.type === 'turn.started')).toHaveLength(1);
    expect(simulator.stats().bySession[sessionId]).toBe(1);
    await reader.close();
  }

  it('a message that is sent again on its connection starts one turn, be it before, during or after the answer', async () => {
    const client = await TestClient.greet(one.url, { after: 0 });
    const id = randomUUID();
    client.message(id, content);
    client.message(id, content);
    await client.waitForType('delta');
    client.message(id, content);
    await client.completed(id);
    client.message(id, content);
    await expectDuplicates([client], id, 3);
    await expectOnce(client.sessionId, id);
    await client.close();
  });

  it('a second message under a used id starts no turn, even with another text', async () => {
    const client = await TestClient.greet(one.url, { after: 0 });
    client.message('m', content);
    client.message('m', 'Forget my knee');
    const end = await client.completed('m');
    await expectDuplicates([client], 'm', 1);
    expect(client.turnText(end.turn_id)).toContain(content);
    await expectOnce(client.sessionId, 'm');
    await client.close();
  });

  it('a message that is sent again after a reconnect and on another instance starts one turn', async () => {
    const first = await TestClient.greet(one.url, { after: 0 });
    const { sessionId } = first;
    const id = randomUUID();
    first.message(id, content);
    await first.waitForType('turn.started');
    first.drop();
    const second = await TestClient.greet(one.url, { session_id: sessionId, after: 0 });
    second.message(id, content);
    await expectDuplicates([second], id, 1);
    second.drop();
    const third = await TestClient.greet(two.url, { session_id: sessionId, after: 0 });
    third.message(id, content);
    await third.completed(id);
    await expectDuplicates([third], id, 1);
    await expectOnce(sessionId, id);
    await third.close();
  });

  it.each(['queue', 'interrupt', 'rollback', 'merge'])(
    'a message that is sent to two instances simultaneously starts one turn, under the policy %s',
    async (policy) => {
      const onOne = await TestClient.greet(one.url, { after: 0 });
      const onTwo = await TestClient.greet(two.url, { session_id: onOne.sessionId, after: 0 });
      const clients = [onOne, onTwo];
      const id = randomUUID();
      for (let times = 0; times < 3; times += 1)
        for (const client of clients) client.message(id, content, { policy });
      await Promise.all(clients.map((client) => client.completed(id)));
      await expectDuplicates(clients, id, 5);
      await expectOnce(onOne.sessionId, id);
      await Promise.all(clients.map((client) => client.close()));
    },
  );
});
