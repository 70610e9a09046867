/** A client that asks for frames which the log no longer holds, or never held, gets a reset instead of a gap. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { TestClient } from '../support/instance/client.ts';
import { type Instance, startInstance } from '../support/instance/instance.ts';
import { countUp, plainAnswer, type Said } from '../support/instance/observed.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';

const FRAME_LOG_MAX = 60;

describe.each(['the embedded store', 'Redis'])('short log on %s', (store) => {
  let redis: RedisServer | undefined;
  let simulator: Simulator;
  let instance: Instance;

  beforeAll(async () => {
    if (store === 'Redis') redis = await startRedis();
    simulator = await startSimulator({ tokens: 50, tokensPerSecond: 0 });
    instance = await startInstance({
      ...(redis === undefined ? {} : { REDIS_URL: redis.url }),
      VLLM_BASE_URL: simulator.url,
      FRAME_LOG_MAX: String(FRAME_LOG_MAX),
      FLUSH_MS: '0',
    });
  });
  afterAll(async () => {
    await instance?.stop();
    await Promise.all([simulator?.close(), redis?.stop()]);
  });

  /** Talks until the session has had more frames than the log can hold. */
  async function talkative(): Promise<{ readonly client: TestClient; readonly history: Said[] }> {
    const client = await TestClient.greet(instance.url, { after: 0 });
    const history: Said[] = [];
    for (let turns = 0; client.durable.length < 2 * FRAME_LOG_MAX; turns += 1) {
      const content = `[[fault:tps=400]] Message ${turns}`;
      client.message(`m-${turns}`, content);
      const end = await client.completed(`m-${turns}`);
      history.push({ role: 'user', content }, { role: 'assistant', content: client.turnText(end.turn_id) });
    }
    return { client, history };
  }

  it('a client that asks for trimmed frames gets a reset with the transcript, and then the next frames', async () => {
    const { client, history } = await talkative();
    const late = await TestClient.greet(instance.url, { session_id: client.sessionId, after: 1 });
    const reset = await late.waitForType('reset');
    expect(reset).toMatchObject({
      reason: 'trimmed',
      offset: client.durable.at(-1)?.offset,
      state: 'connected',
    });
    expect(reset.transcript.map(({ role, content }) => ({ role, content }))).toEqual(history);

    late.message('next', 'Go on');
    const end = await late.completed('next');
    expect(late.offsets()).toEqual(countUp(reset.offset + 1, reset.offset + late.durable.length));
    history.push({ role: 'user', content: 'Go on' });
    expect(late.turnText(end.turn_id)).toBe(await plainAnswer(simulator.url, history));
    await Promise.all([client.close(), late.close()]);
  });

  // Each turn goes on for some seconds: on a busy machine the second client has to come again.
  it.each([
    ['shorter', 40, 0, 6],
    ['longer', FRAME_LOG_MAX + 140, FRAME_LOG_MAX + 5, 20],
  ])(
    'a client that asks for trimmed frames gets the running turn from its start, even a turn %s than the log',
    async (_, tokens, heard, tps) => {
      const { client, history } = await talkative();
      const content = `[[fault:tps=${tps},tokens=${tokens}]] Go on`;
      client.message('running', content);
      const started = await client.waitFor(
        (frame) => frame.type === 'turn.started' && frame.message_id === 'running',
        'the turn',
      );
      const begun = client.durable.length;
      await client.waitFor(() => client.durable.length >= begun + heard, 'so much of the turn');
      const late = await TestClient.greet(instance.url, { session_id: client.sessionId, after: 1 });
      const reset = await late.waitForType('reset');
      expect(reset).toMatchObject({ reason: 'trimmed', state: 'processing' });
      const question = { role: 'user', content };
      expect(reset.transcript.map(({ role, content }) => ({ role, content }))).toEqual([
        ...history,
        question,
      ]);
      const end = await late.completed('running');
      expect(late.durable[0]).toEqual(started);
      expect(late.turnText(end.turn_id)).toBe(client.turnText(end.turn_id));
      expect(late.turnText(end.turn_id)).not.toBe('');
      await Promise.all([client.close(), late.close()]);
    },
  );

  it('a client that claims an offset beyond the log gets a reset', async () => {
    const client = await TestClient.greet(instance.url, { after: 0 });
    client.message('m', 'Good morning');
    const end = await client.completed('m');
    await client.waitFor((frame) => frame.type === 'state' && frame.version > 2, 'calm', {
      from: client.frames.length - 1,
    });
    const liar = await TestClient.greet(instance.url, { session_id: client.sessionId, after: 100_000 });
    const reset = await liar.waitForType('reset');
    expect(reset).toMatchObject({ reason: 'unknown_offset', offset: end.offset + 1 });
    expect(reset.transcript).toHaveLength(2);
    liar.message('next', 'Go on');
    await liar.completed('next');
    expect(liar.offsets()).toEqual(countUp(reset.offset + 1, reset.offset + liar.durable.length));
    await Promise.all([client.close(), liar.close()]);
  });
});
