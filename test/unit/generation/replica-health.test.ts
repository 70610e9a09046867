import { describe, expect, test } from 'vitest';
import type { CheckResult } from '../../../src/generation/replicas/replica-check.ts';
import { checkReplica } from '../../../src/generation/replicas/replica-check.ts';
import { createReplicas, type ReplicaEvent } from '../../../src/generation/replicas/replicas.ts';
import { startSimulator } from '../../../src/simulator/simulator.ts';
import { freePort } from '../../support/instance/processes.ts';

const OK: CheckResult = { kind: 'ok', models: ['m'] };
const GONE: CheckResult = { kind: 'failed', code: 'upstream_unavailable', detail: 'ECONNREFUSED' };

/** One replica on a virtual clock. `checked` answers its checks one by one, and then repeats the last answer. */
function oneReplica(checked: readonly CheckResult[] | null = null, model: string | null = null) {
  let nowMs = 0;
  const answers = [...(checked ?? [])];
  const events: ReplicaEvent[] = [];
  const ask = async () => (answers.length > 1 ? answers.shift() : answers[0]) ?? OK;
  const replicas = createReplicas(['http://user:secret@a:8000/v1?key=secret'], {
    probeEveryMs: 1e6,
    now: () => nowMs,
    wallNow: () => 1_000_000 + nowMs,
    onEvent: (event) => events.push(event),
    ...(checked === null ? {} : { check: { everyMs: 1, model, ask } }),
  });
  const take = () => replicas.take({ sessionId: 's' });
  return {
    replicas,
    changes: () => events.flatMap((event) => (event.kind === 'failed' ? [] : [event])),
    failures: () => events.filter(({ kind }) => kind === 'failed').length,
    fail: () => replicas.give(take(), 'failure', 'upstream_error'),
    succeed: () => replicas.give(take(), 'success'),
    wait: (ms: number) => {
      nowMs += ms;
    },
    report: () => replicas.reports()[0],
  };
}

describe('a replica whose turns fail', () => {
  test('a replica reports once that it fails, once that it is down and once that it recovered', () => {
    const { replicas, changes, failures, fail, succeed, wait, report } = oneReplica();
    expect(report()).toMatchObject({ state: 'up', sinceMs: null, lastError: null });
    fail();
    expect(report()).toMatchObject({ state: 'failing', circuit: 'closed', lastError: 'upstream_error' });
    for (let n = 0; n < 20; n += 1) fail();
    expect(report()).toMatchObject({ state: 'down', circuit: 'open', sinceMs: 1_000_000 });
    wait(60_000);
    succeed();
    expect(report()).toEqual({
      id: 'a:8000',
      state: 'up',
      circuit: 'closed',
      sinceMs: 1_060_000,
      lastError: 'upstream_error',
    });
    const cause = { replica: 'a:8000', code: 'upstream_error' };
    expect(changes()).toEqual([
      { kind: 'failing', detail: null, ...cause },
      { kind: 'down', detail: null, ...cause },
      { kind: 'recovered', afterMs: 60_000, ...cause },
    ]);
    expect(failures()).toBe(21);
    replicas.close();
  });

  test('failed turns between good ones are one episode', () => {
    const { replicas, changes, fail, succeed, wait, report } = oneReplica();
    for (let n = 0; n < 50; n += 1) {
      fail();
      succeed();
      succeed();
      wait(1_000);
    }
    expect(changes()).toHaveLength(1);
    expect(report()).toMatchObject({ state: 'failing' });
    wait(10_000);
    succeed();
    expect(changes().map(({ kind }) => kind)).toEqual(['failing', 'recovered']);
    replicas.close();
  });

  test('a replica that refuses a request is reported as failing, and still gets requests', () => {
    const { replicas, changes, report } = oneReplica();
    for (let n = 0; n < 5; n += 1)
      replicas.give(replicas.take({ sessionId: 's' }), 'success', 'upstream_rejected');
    expect(report()).toMatchObject({ state: 'failing', circuit: 'closed', lastError: 'upstream_rejected' });
    expect(changes()).toHaveLength(1);
    replicas.give(replicas.take({ sessionId: 's' }), 'success', 'context_length_exceeded');
    expect(report()).toMatchObject({ lastError: 'upstream_rejected' });
    replicas.close();
  });
});

describe('a replica that is checked', () => {
  test('an unreachable replica is down from the start, and up again without a turn', async () => {
    const { replicas, changes, report } = oneReplica([GONE, GONE, GONE, OK]);
    await expect.poll(() => report()?.state).toBe('up');
    const cause = { replica: 'a:8000', code: 'upstream_unavailable' };
    expect(changes()).toEqual([
      { kind: 'down', detail: 'ECONNREFUSED', ...cause },
      { kind: 'recovered', afterMs: 0, ...cause },
    ]);
    replicas.close();
  });

  test('a check that succeeds after an outage closes the circuit', async () => {
    const answers = [OK, GONE, GONE, OK];
    const { replicas, fail, wait, report } = oneReplica(answers);
    for (let n = 0; n < 3; n += 1) fail();
    expect(report()).toMatchObject({ state: 'down', circuit: 'open' });
    wait(10_000);
    await expect.poll(() => report()?.state).toBe('up');
    expect(report()).toMatchObject({ circuit: 'closed' });
    replicas.close();
  });

  test('a replica stays down while its turns fail, even if it lists its models', async () => {
    let checks = 0;
    const events: ReplicaEvent[] = [];
    const ask = async () => {
      checks += 1;
      return OK;
    };
    const replicas = createReplicas(['http://a/v1'], {
      probeEveryMs: 1e6,
      onEvent: (event) => events.push(event),
      check: { everyMs: 1, model: null, ask },
    });
    for (let n = 0; n < 3; n += 1)
      replicas.give(replicas.take({ sessionId: 's' }), 'failure', 'upstream_error');
    await expect.poll(() => checks).toBeGreaterThan(5);
    expect(replicas.reports()).toMatchObject([{ state: 'down' }]);
    expect(events.some(({ kind }) => kind === 'recovered')).toBe(false);
    replicas.close();
  });

  test('a replica that works gets no more checks', async () => {
    let checks = 0;
    const ask = async () => {
      checks += 1;
      return OK;
    };
    const replicas = createReplicas(['http://a/v1', 'http://b/v1'], {
      probeEveryMs: 1e6,
      probe: async () => ({ healthy: true, load: null }),
      check: { everyMs: 1, model: null, ask },
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(checks).toBe(2);
    replicas.close();
  });

  test('a replica that does not list the configured model is reported once, and is not down', async () => {
    const { replicas, changes, report } = oneReplica([{ kind: 'ok', models: ['other'] }], 'wanted');
    await expect.poll(changes).toEqual([{ kind: 'model-not-listed', replica: 'a:8000', models: ['other'] }]);
    expect(report()).toMatchObject({ state: 'up' });
    replicas.close();
  });
});

describe('a check', () => {
  const how = { apiKey: null, namesModel: false, timeoutMs: 5_000 };

  test('a check distinguishes a wrong address, a wrong key and a good server', async () => {
    const simulator = await startSimulator({ apiKey: 'right', model: 'm' });
    const port = await freePort();
    expect(await checkReplica(simulator.url, { ...how, apiKey: 'right' })).toEqual({
      kind: 'ok',
      models: ['m'],
    });
    expect(await checkReplica(simulator.url, { ...how, apiKey: 'wrong' })).toMatchObject({
      code: 'upstream_unauthorized',
    });
    const withoutPath = simulator.url.replace(/\/v1$/, '');
    expect(await checkReplica(withoutPath, { ...how, apiKey: 'right' })).toEqual({
      kind: 'failed',
      code: 'upstream_rejected',
      detail: 'GET /models was answered with 404',
    });
    expect(await checkReplica(`http://127.0.0.1:${port}/v1`, how)).toEqual({
      kind: 'failed',
      code: 'upstream_unavailable',
      detail: 'ECONNREFUSED',
    });
    await simulator.close();
  });

  test('a failed check never quotes the credentials in the address', async () => {
    const result = await checkReplica('http://user:secret@127.0.0.1:9/v1', how);
    expect(result.kind).toBe('failed');
    expect(JSON.stringify(result)).not.toContain('secret');
  });
});
