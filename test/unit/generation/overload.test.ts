/** Overloaded model servers that name the time of the next attempt. */
import { afterEach, describe, expect, test } from 'vitest';
import { chooseReplica, type ReplicaView, waitMs } from '../../../src/generation/replicas/replica-choice.ts';
import { failure, restMsOf } from '../../../src/generation/upstream/failure.ts';
import { createVllmGenerator } from '../../../src/generation/vllm.ts';
import { startSimulator } from '../../../src/simulator/simulator.ts';
import { hear } from '../../conformance/vllm-listening.ts';
import { transport } from '../../support/transport.ts';

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function generatorOf(replicas: number, totalMs = 300_000) {
  const simulators = await Promise.all(
    Array.from({ length: replicas }, () => startSimulator({ tokensPerSecond: 0, tokens: 20 })),
  );
  const generator = createVllmGenerator({
    baseUrls: simulators.map(({ url }) => url),
    transport,
    timeouts: { firstTokenMs: 5_000, interTokenMs: 5_000, totalMs },
    defaultMaxTokens: 200,
  });
  open.push(...simulators, generator);
  return generator;
}

describe('a refusal for load', () => {
  test.each(['429,retry-after=2', '503,retry-after=2'])(
    'a turn refused for load retries after the wait that the server asks for (%s)',
    async (fault) => {
      const { result } = await hear(await generatorOf(1), { fault });
      if (result.kind !== 'failed') throw new Error(result.kind);
      expect(result).toMatchObject({ code: 'upstream_unavailable', retryable: true });
      expect(result.retryAfterMs).toBeGreaterThan(1_500);
      expect(result.retryAfterMs).toBeLessThanOrEqual(2_500);
    },
  );

  test('a turn refused for load retries after the date that the server asks for', async () => {
    const { result } = await hear(await generatorOf(1), { fault: '429,retry-after=date' });
    expect(result).toMatchObject({ retryable: true, retryAfterMs: expect.any(Number) });
  });

  test('a long rest ends as soon as the replica answers again', async () => {
    const generator = await generatorOf(1);
    await hear(generator, { fault: '429,retry-after=600' });
    expect((await hear(generator, {})).result).toMatchObject({ kind: 'completed' });
    const { result } = await hear(generator, { fault: '429,retry-after=1' });
    expect(result).toMatchObject({ retryable: true, retryAfterMs: expect.any(Number) });
  });

  test('a turn refused for load retries at another replica without a wait', async () => {
    const { result } = await hear(await generatorOf(2), { fault: '429,retry-after=30' });
    expect(result).toMatchObject({ kind: 'failed', retryable: true });
    expect(result).not.toHaveProperty('retryAfterMs');
  });

  test('a server that asks for a longer wait than a turn allows ends the turn', async () => {
    const later = await hear(await generatorOf(1), { fault: '503,retry-after=3600' });
    expect(later.result).toMatchObject({ code: 'upstream_unavailable', retryable: false });
    const short = await hear(await generatorOf(1, 5_000), { fault: '503,retry-after=10' });
    expect(short.result).toMatchObject({ code: 'upstream_unavailable', retryable: false });
  });
});

describe('the rest of a replica', () => {
  const refused = (status: number, retryAfterMs: number | null) => ({
    ...failure('upstream_unavailable'),
    refusal: { status, message: '', param: null, names: [], contextLimit: null, retryAfterMs },
  });
  const never = () => 0;

  test('a replica rests as long as it asks for, plus a random part', () => {
    expect(restMsOf(refused(429, 2_000), 1, never)).toBe(2_000);
    expect(restMsOf(refused(429, 2_000), 3, () => 1)).toBe(2_500);
  });

  test('the rest of a replica that asks for none grows with the attempts, up to a limit', () => {
    const rests = [1, 2, 3, 20].map((attempt) => restMsOf(refused(429, null), attempt, never));
    expect(rests).toEqual([500, 1_000, 2_000, 10_000]);
  });

  test('a replica that failed for another reason than load does not rest', () => {
    expect(restMsOf(refused(502, null), 1, never)).toBe(0);
    expect(restMsOf(failure('upstream_unavailable'), 1, never)).toBe(0);
    expect(restMsOf(failure('upstream_error'), 1, never)).toBe(0);
  });
});

describe('the choice among resting replicas', () => {
  const view = (id: string, more: Partial<ReplicaView> = {}): ReplicaView => ({
    id,
    healthy: true,
    circuit: { kind: 'closed', failures: 0 },
    inFlight: 0,
    load: null,
    restsUntilMs: 0,
    ...more,
  });
  const chosen = (views: readonly ReplicaView[], nowMs: number) =>
    chooseReplica(views, { sessionId: 's', avoid: 'a' }, nowMs);

  test('the choice prefers a replica that does not rest', () => {
    expect(chosen([view('a'), view('b', { restsUntilMs: 100 })], 50)).toBe('a');
    expect(chosen([view('a', { restsUntilMs: 100 }), view('b')], 50)).toBe('b');
  });

  test('while all replicas rest, the wait ends with the first rest of a healthy one', () => {
    const views = [view('a', { restsUntilMs: 100 }), view('b', { restsUntilMs: 300 })];
    expect(waitMs(views, 50)).toBe(50);
    expect(waitMs([...views, view('c', { healthy: false })], 50)).toBe(50);
    expect(waitMs([...views, view('c')], 50)).toBe(0);
    expect(waitMs(views, 100)).toBe(0);
  });

  test('the choice prefers a resting replica to an ill one', () => {
    expect(chosen([view('a', { restsUntilMs: 100 }), view('c', { healthy: false })], 50)).toBe('a');
  });
});
