import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import type { GenerationRequest } from '../../../src/generation/port.ts';
import {
  afterResult,
  afterStart,
  allows,
  type Circuit,
  CLOSED,
} from '../../../src/generation/replicas/circuit.ts';
import {
  chooseReplica,
  isOverloaded,
  type ReplicaView,
  rankReplicas,
} from '../../../src/generation/replicas/replica-choice.ts';
import { probeReplica, readLoad } from '../../../src/generation/replicas/replica-probe.ts';
import { createReplicas, type Replicas } from '../../../src/generation/replicas/replicas.ts';
import { createVllmGenerator } from '../../../src/generation/vllm.ts';
import { type Simulator, startSimulator } from '../../../src/simulator/simulator.ts';
import { transport } from '../../support/transport.ts';

const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { minLength: 2, maxLength: 8 });
const sessions = fc.array(fc.uuid(), { minLength: 1, maxLength: 60 });

const view = (id: string, more: Partial<ReplicaView> = {}): ReplicaView => ({
  id,
  healthy: true,
  circuit: CLOSED,
  inFlight: 0,
  load: null,
  restsUntilMs: 0,
  ...more,
});
const load = (running: number, waiting = 0, kvCacheUsage = 0, waitingForCapacity = 0) => ({
  running,
  waiting,
  kvCacheUsage,
  waitingForCapacity,
});

describe('the home of a session', () => {
  test('a session’s home does not depend on the order of the replicas', () => {
    fc.assert(
      fc.property(names, fc.uuid(), (replicas, session) => {
        expect(rankReplicas([...replicas].reverse(), session)).toEqual(rankReplicas(replicas, session));
      }),
    );
  });

  test('the loss of a replica moves only its own sessions', () => {
    fc.assert(
      fc.property(names, sessions, (replicas, ids) => {
        const [gone = '', ...left] = replicas;
        for (const sessionId of ids) {
          const before = chooseReplica(
            replicas.map((id) => view(id)),
            { sessionId },
            0,
          );
          const after = chooseReplica(
            left.map((id) => view(id)),
            { sessionId },
            0,
          );
          if (before !== gone) expect(after).toBe(before);
        }
      }),
    );
  });

  test('many sessions spread evenly over the replicas', () => {
    const replicas = ['a:8000', 'b:8000', 'c:8000', 'd:8000'];
    const counts = new Map<string, number>();
    for (let n = 0; n < 4_000; n += 1) {
      const home = rankReplicas(replicas, `session-${n}`)[0] ?? '';
      counts.set(home, (counts.get(home) ?? 0) + 1);
    }
    for (const replica of replicas) expect(Math.abs((counts.get(replica) ?? 0) - 1_000)).toBeLessThan(150);
  });
});

describe('the choice', () => {
  const anyLoad = fc.record({
    running: fc.nat(50),
    waiting: fc.nat(50),
    kvCacheUsage: fc.double({ min: 0, max: 1, noNaN: true }),
    waitingForCapacity: fc.nat(1),
  });

  test('the choice never takes an overloaded replica while another is not overloaded', () => {
    const loads = fc.array(anyLoad, { minLength: 2, maxLength: 6 });
    fc.assert(
      fc.property(loads, fc.uuid(), (all, sessionId) => {
        const views = all.map((each, index) => view(`r${index}`, { load: each }));
        const mean = all.reduce((sum, each) => sum + each.running + each.waiting, 0) / all.length;
        const calm = views.filter((each) => !isOverloaded(each, mean)).map((each) => each.id);
        const chosen = chooseReplica(views, { sessionId }, 0);
        if (calm.length > 0) expect(calm).toContain(chosen);
        else expect(chosen).not.toBeNull();
      }),
    );
  });

  test('a session leaves a home that is much busier than the others, full, or has a queue for capacity', () => {
    const sessionId = 'session';
    const [home = '', other = ''] = rankReplicas(['a', 'b'], sessionId);
    for (const busy of [load(9, 4), load(0, 0, 0.95), load(1, 1, 0.5, 1)]) {
      expect(chooseReplica([view(home, { load: busy }), view(other)], { sessionId }, 0)).toBe(other);
    }
    expect(chooseReplica([view(home, { load: load(1) }), view(other)], { sessionId }, 0)).toBe(home);
    expect(chooseReplica([view(home, { inFlight: 9 }), view(other)], { sessionId }, 0)).toBe(other);
  });

  test('the choice follows the hint to a warm cache, but not into an overload', () => {
    const sessionId = 'session';
    const [home = '', warm = ''] = rankReplicas(['a', 'b'], sessionId);
    expect(chooseReplica([view(home), view(warm)], { sessionId, prefer: warm }, 0)).toBe(warm);
    const full = view(warm, { load: load(0, 0, 0.99) });
    expect(chooseReplica([view(home), full], { sessionId, prefer: warm }, 0)).toBe(home);
  });

  test('the choice avoids the replica that just failed, unless it is the only one', () => {
    const hints = { sessionId: 's', avoid: 'a', prefer: 'a' };
    expect(chooseReplica([view('a'), view('b')], hints, 0)).toBe('b');
    expect(chooseReplica([view('a')], hints, 0)).toBe('a');
    expect(chooseReplica([view('a'), view('b', { healthy: false })], hints, 0)).toBe('a');
  });

  test('the choice takes a replica even if all are ill, and none only if there is none', () => {
    const ill = [view('a', { healthy: false }), view('b', { healthy: false })];
    expect(chooseReplica(ill, { sessionId: 's', avoid: 'a' }, 0)).toBe('b');
    expect(chooseReplica([], { sessionId: 's' }, 0)).toBeNull();
  });
});

describe('the circuit', () => {
  const fail = (circuit: Circuit, times: number, nowMs: number): Circuit =>
    times === 0 ? circuit : fail(afterResult(circuit, 'failure', nowMs), times - 1, nowMs);

  test('a circuit opens after three failures in a row; a success between them resets the count', () => {
    expect(fail(CLOSED, 2, 0).kind).toBe('closed');
    expect(fail(CLOSED, 3, 0)).toEqual({ kind: 'open', untilMs: 1_000, openings: 1 });
    expect(fail(afterResult(fail(CLOSED, 2, 0), 'success', 0), 2, 0).kind).toBe('closed');
  });

  test('an open circuit lets one trial through after its time, and a second only after a result', () => {
    const open = fail(CLOSED, 3, 0);
    expect(allows(open, 999)).toBe(false);
    expect(allows(open, 1_000)).toBe(true);
    const trial = afterStart(open, 1_000);
    expect(trial.kind).toBe('half-open');
    expect(allows(trial, 5_000)).toBe(false);
    expect(afterResult(trial, 'success', 5_000)).toEqual(CLOSED);
    expect(allows(afterResult(trial, 'none', 5_000), 5_000)).toBe(true);
  });

  test('a circuit stays open twice as long after each failed trial, up to half a minute', () => {
    let circuit = fail(CLOSED, 3, 0);
    const lengthsMs: number[] = [];
    for (let n = 0; n < 7 && circuit.kind === 'open'; n += 1) {
      const startMs = circuit.untilMs;
      circuit = afterResult(afterStart(circuit, startMs), 'failure', startMs);
      if (circuit.kind === 'open') lengthsMs.push(circuit.untilMs - startMs);
    }
    expect(lengthsMs).toEqual([2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  test('requests from before the opening do not keep a circuit open longer', () => {
    const open = fail(CLOSED, 3, 0);
    expect(fail(open, 5, 900)).toEqual(open);
  });
});

describe('the load of a replica', () => {
  test('the load is the sum over engines, and no waiting request counts twice', () => {
    const metrics = [
      '# HELP vllm:num_requests_waiting Number of requests waiting.',
      'vllm:num_requests_running{engine="0",model_name="m"} 3.0',
      'vllm:num_requests_running{engine="1",model_name="m"} 4.0',
      'vllm:num_requests_waiting{engine="0",model_name="m"} 2.0',
      'vllm:num_requests_waiting{engine="1",model_name="m"} 1.0',
      'vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 2.0',
      'vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="deferred"} 1.0',
      'vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25',
      'vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.75',
    ].join('\n');
    expect(readLoad(metrics)).toEqual({ running: 7, waiting: 3, waitingForCapacity: 2, kvCacheUsage: 0.75 });
  });

  test('the load is read from the old metric names too', () => {
    expect(readLoad('vllm:num_requests_running 1\nvllm:gpu_cache_usage_perc 5e-1\n')).toMatchObject({
      kvCacheUsage: 0.5,
    });
  });

  test('the load is unknown if the metrics are not vLLM’s', () => {
    expect(readLoad('process_cpu_seconds_total 4\n')).toBeNull();
    expect(readLoad('<html></html>')).toBeNull();
  });
});

describe('the replicas of an instance', () => {
  const open: { close(): unknown }[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((each) => each.close()));
  });
  const simulate = async (options = {}): Promise<Simulator> => {
    const simulator = await startSimulator({ tokensPerSecond: 0, ...options });
    open.push(simulator);
    return simulator;
  };
  const over = (...args: Parameters<typeof createReplicas>): Replicas => {
    const replicas = createReplicas(...args);
    open.push(replicas);
    return replicas;
  };

  test('a probe reads health and load, under old and new metric names', async () => {
    const [today, old] = [
      await simulate({ kvCacheUsage: 0.4 }),
      await simulate({ kvCacheUsage: 0.4, oldMetricNames: true }),
    ];
    const result = { healthy: true, load: load(0, 0, 0.4) };
    expect(await probeReplica(today.url, 1_000)).toEqual(result);
    expect(await probeReplica(old.url, 1_000)).toEqual(result);
    today.setHealthy(false);
    expect(await probeReplica(today.url, 1_000)).toEqual({ healthy: false, load: null });
    expect(await probeReplica('http://127.0.0.1:9/v1', 1_000)).toEqual({ healthy: false, load: null });
  });

  test('an ill replica gets no sessions until it is well again', async () => {
    const [first, second] = [await simulate(), await simulate()];
    const replicas = over([first.url, second.url], { probeEveryMs: 50 });
    const ill = () =>
      replicas
        .views()
        .filter((each) => !each.healthy)
        .map((each) => each.id);
    first.setHealthy(false);
    await expect.poll(ill).toEqual([new URL(first.url).host]);
    for (let n = 0; n < 20; n += 1) {
      const taken = replicas.take({ sessionId: `s${n}` });
      expect(taken.baseUrl).toBe(second.url);
      replicas.give(taken, 'success');
    }
    first.setHealthy(true);
    await expect.poll(ill).toEqual([]);
  });

  test('running requests count as load before the next probe', () => {
    const replicas = over(['http://a/v1', 'http://b/v1'], {
      probeEveryMs: 1e6,
      probe: async () => ({ healthy: true, load: null }),
    });
    const taken = Array.from({ length: 30 }, () => replicas.take({ sessionId: 'the same one' }).id);
    const share = taken.filter((id) => id === 'a').length;
    expect(share).toBeGreaterThan(8);
    expect(share).toBeLessThan(22);
  });

  test('the turns of a session stay on one replica', () => {
    const replicas = over(['http://a/v1', 'http://b/v1'], {
      probeEveryMs: 1e6,
      probe: async () => ({ healthy: true, load: null }),
    });
    const homes = new Set<string>();
    for (let n = 0; n < 10; n += 1) {
      const taken = replicas.take({ sessionId: 'the same one' });
      homes.add(taken.id);
      replicas.give(taken, 'success');
    }
    expect(homes.size).toBe(1);
  });

  test('a replica that keeps failing gets no requests for a while, then one trial', () => {
    let nowMs = 0;
    const replicas = over(['http://a/v1', 'http://b/v1'], {
      probeEveryMs: 1e6,
      now: () => nowMs,
      probe: async () => ({ healthy: true, load: null }),
    });
    const sessionId = 'session';
    const { id: home } = replicas.take({ sessionId });
    replicas.give({ id: home, baseUrl: '' }, 'none');
    for (let n = 0; n < 3; n += 1) replicas.give(replicas.take({ sessionId }), 'failure');
    const elsewhere = replicas.take({ sessionId });
    expect(elsewhere.id).not.toBe(home);
    replicas.give(elsewhere, 'success');
    nowMs = 1_000;
    const trial = replicas.take({ sessionId });
    expect(trial.id).toBe(home);
    expect(replicas.take({ sessionId }).id).not.toBe(home);
  });

  test('a replica’s name is host and port only, and a start without a replica fails', () => {
    const replicas = over(['http://user:secret@a:8000/v1', 'http://a:8000/other/v1'], { probeEveryMs: 1e6 });
    expect(replicas.views().map((each) => each.id)).toEqual(['a:8000', 'a:8000#2']);
    expect(() => createReplicas([], { probeEveryMs: 1 })).toThrow('at least one');
  });

  test('a generator keeps a session on the replica with the warm cache, and avoids a replica on request', async () => {
    const both = [
      await simulate({ promptTokensDetails: true }),
      await simulate({ promptTokensDetails: true }),
    ];
    const generator = createVllmGenerator({
      baseUrls: both.map((each) => each.url),
      transport,
      timeouts: { firstTokenMs: 5_000, interTokenMs: 5_000, totalMs: 20_000 },
      defaultMaxTokens: 8,
      probeEveryMs: 1e6,
    });
    open.push(generator);
    const ask = async (more: Partial<GenerationRequest>) => {
      const content = 'the patient has a fever and a cough '.repeat(6);
      const messages = [{ role: 'user' as const, content }];
      const request = {
        sessionId: 's',
        turnId: 't',
        attempt: 1,
        messages,
        prefix: null,
        options: {},
        ...more,
      };
      const result = await generator.generate(request, () => {}, new AbortController().signal);
      if (result.kind !== 'completed') throw new Error(JSON.stringify(result));
      return result;
    };
    const { replica: home } = await ask({});
    for (let n = 0; n < 8; n += 1) {
      const again = await ask({});
      expect(again.replica).toBe(home);
      expect(again.usage.cached_tokens).toBeGreaterThan(0);
    }
    const elsewhere = await ask({ avoidReplica: home });
    expect(elsewhere.replica).not.toBe(home);
    expect((await ask({ preferReplica: elsewhere.replica })).replica).toBe(elsewhere.replica);
  });
});
