/** The operator sees a failing model in the log, in /healthz and in metrics, and the instance stays ready. */
import { expect, it } from 'vitest';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { TestClient } from '../support/instance/client.ts';
import { startInstance } from '../support/instance/instance.ts';
import { eventually, metric } from '../support/instance/observed.ts';
import { freePort } from '../support/instance/processes.ts';

type Line = Readonly<Record<string, unknown>>;

it('an unreachable model shows in the log, in /healthz and in a metric before any turn, until the model is back', async () => {
  const port = await freePort();
  const replica = `127.0.0.1:${port}`;
  const instance = await startInstance({
    VLLM_BASE_URL: `http://${replica}/v1`,
    GENERATION_ATTEMPTS: '2',
  });
  const said = (msg: string) =>
    instance.logs.map((text) => JSON.parse(text) as Line).filter((line) => line.msg === msg);
  const health = async () => (await (await fetch(`${instance.http}/healthz`)).json()) as Line;

  await eventually(
    'the log to say it',
    () => said('the model is down'),
    ({ length }) => length > 0,
  );
  const cause = { replica, code: 'upstream_unavailable', detail: 'ECONNREFUSED' };
  expect(said('the model is down')).toMatchObject([{ level: 50, ...cause }]);
  const [first] = (await health()).replicas as Line[];
  expect(first).toMatchObject({ replica, state: 'down', last_error: cause.code });
  expect(first?.since).toMatch(/^20\d\d-/);
  expect(await metric(instance.http, 'rehydra_upstream_up', { replica })).toBe(0);

  const client = await TestClient.greet(instance.url);
  client.message('m', 'Is anybody there?');
  await client.completed('m');
  expect((await fetch(`${instance.http}/readyz`)).status).toBe(200);
  expect(await metric(instance.http, 'rehydra_upstream_failures_total')).toBe(2);
  expect(said('the model is down')).toHaveLength(1);

  const simulator = await startSimulator({ port });
  const [line] = await eventually(
    'the log to say that it is back',
    () => said('the model answers again'),
    ({ length }) => length > 0,
  );
  expect(line).toMatchObject({ level: 30, replica, failedForMs: expect.any(Number) });
  expect((await health()).replicas).toMatchObject([{ replica, state: 'up' }]);
  expect(await metric(instance.http, 'rehydra_upstream_up', { replica })).toBe(1);
  await client.close();
  await instance.stop();
  await simulator.close();
});
