/** The Python client, which knows only docs/PROTOCOL.md, gets whole answers, also through a kill of its instance. */
import { describe, expect, it } from 'vitest';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { plainAnswer } from '../support/instance/observed.ts';
import { resultOf, watch } from '../support/instance/printed.ts';
import { startPython } from '../support/instance/python.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';
import { until } from './chaos/figures.ts';
import { startFleet } from './chaos/fleet.ts';

const CONTENT = 'My knee hurts, and it began three days ago.';
const CLIENT = 'examples/python/rehydra_client.py';

describe('Python client', () => {
  const [redis, simulator, python] = started(
    startRedis,
    () => startSimulator({ tokens: 120, tokensPerSecond: 30 }),
    () => startPython(['websockets']),
  );
  const [fleet] = started(() =>
    startFleet(2, () => ({ REDIS_URL: redis.url, VLLM_BASE_URL: simulator.url, LEASE_MS: '3000' })),
  );
  const chat = () => watch(python.start(CLIENT, [CONTENT], { REHYDRA_WS: fleet.urls.join(',') }));
  const wanted = () => plainAnswer(simulator.url, [{ role: 'user', content: CONTENT }]);

  it('the Python client prints the whole answer to one message', async () => {
    const client = chat();
    expect(await client.ended).toEqual({ code: 0, stderr: '' });
    const answer = await wanted();
    expect(resultOf(client.stdout())).toEqual({ printed: answer, answer });
  });

  it('the Python client prints the whole answer once, though a kill ends its instance in mid-answer', async () => {
    const client = chat();
    await until(() => client.stdout().length > 40, 'the Python client to have text', { everyMs: 5 });
    const answer = await wanted();
    expect(client.stdout().length).toBeLessThan(answer.length);
    await fleet.kill(0);
    expect(await client.ended).toEqual({ code: 0, stderr: '' });
    expect(resultOf(client.stdout())).toEqual({ printed: answer, answer });
  });
});
