import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { measuredArchive, measuredGenerator, measuredStore } from '../../../src/analytics/measured.ts';
import { openArchive } from '../../../src/archive/open.ts';
import type { GenerationResult } from '../../../src/generation/port.ts';
import { openSqliteStore } from '../../../src/store/sqlite/open.ts';
import { openMeters } from '../../../src/telemetry/meters.ts';
import { commitOf } from '../../conformance/store-fixture.ts';

function meters() {
  const registry = new Registry();
  const value = async (name: string, labels: Readonly<Record<string, string>> = {}) => {
    const { values = [] } = (await registry.getSingleMetric(name.replace(/_(sum|count)$/, ''))?.get()) ?? {};
    const fits = (one: (typeof values)[number]) =>
      ((one as { readonly metricName?: string }).metricName ?? name) === name &&
      Object.entries(labels).every(([label, wanted]) => one.labels[label] === wanted);
    return values.filter(fits).reduce((sum, one) => sum + one.value, 0);
  };
  return { meters: openMeters(registry), value };
}

const LIMITS = { leaseMs: 500, frameLogMax: 20, inboxMax: 4 };

describe('a measured store', () => {
  it('a measured store answers as the store does, and counts refused writes and held claims', async () => {
    const measured = meters();
    const store = measuredStore(await openSqliteStore({ ...LIMITS, dataDir: ':memory:' }), measured.meters);
    const claimed = await store.claim('s', 'a');
    if (claimed.kind !== 'claimed') throw new Error('not claimed');
    expect(await store.claim('s', 'b')).toMatchObject({ kind: 'held' });
    const write = commitOf();
    expect(await store.commit(claimed.fence, write)).toMatchObject({ kind: 'committed' });
    expect(await store.commit({ ...claimed.fence, token: 'another' }, write)).toEqual({ kind: 'fenced' });
    expect(await measured.value('rehydra_commit_duration_seconds_count')).toBe(2);
    expect(await measured.value('rehydra_writes_refused_total', { reason: 'fenced' })).toBe(1);
    expect(await measured.value('rehydra_claims_total', { outcome: 'held' })).toBe(1);
    await store.close();
  });

  it('a measured store rejects as the store does, and counts the call without an answer', async () => {
    const measured = meters();
    const store = measuredStore(await openSqliteStore({ ...LIMITS, dataDir: ':memory:' }), measured.meters);
    await store.close();
    await expect(store.claim('s', 'a')).rejects.toMatchObject({ code: 'STORE_CLOSED' });
    expect(await measured.value('rehydra_store_call_errors_total', { call: 'claim' })).toBe(1);
    expect(await measured.value('rehydra_store_call_errors_total')).toBe(1);
  });

  it('a measured store knows how late a sweep found a session, from its due time to its claim', async () => {
    let now = 1_000_000;
    const measured = meters();
    const open = await openSqliteStore({ ...LIMITS, dataDir: ':memory:', now: () => now });
    const store = measuredStore(open, measured.meters, () => now);
    const claimed = await store.claim('s', 'a');
    if (claimed.kind !== 'claimed') throw new Error('not claimed');
    await store.commit(claimed.fence, commitOf({ dueAt: now + 2_000 }));
    await store.release(claimed.fence, false);
    now += 5_000;
    const sweeps = Array.from({ length: 256 }, (_, bucket) => store.sweep(bucket, now, 10, 1_000));
    expect((await Promise.all(sweeps)).flatMap(({ due }) => due)).toEqual(['s']);
    await store.claim('s', 'b');
    expect(await measured.value('rehydra_sweep_lag_seconds_sum')).toBe(3);
    // A claim without a sweep says nothing about the sweeper.
    await store.claim('s', 'c');
    expect(await measured.value('rehydra_sweep_lag_seconds_count')).toBe(1);
    await store.close();
  });
});

describe('a measured generator', () => {
  const request = {
    sessionId: 's',
    turnId: 't',
    attempt: 1,
    messages: [],
    prefix: null,
    options: {},
  } as const;
  const failed: GenerationResult = {
    kind: 'failed',
    code: 'first_token_timeout',
    message: '',
    retryable: true,
    replica: null,
  };

  it('a measured generator passes every chunk on, and times the first one', async () => {
    const measured = meters();
    const texts: string[] = [];
    const generator = measuredGenerator(
      {
        async generate(_request, onChunk) {
          for (const text of ['a', 'b', 'c']) onChunk({ text });
          return failed;
        },
        async close() {},
      },
      measured.meters,
    );
    const result = await generator.generate(
      request,
      ({ text }) => texts.push(text),
      AbortSignal.timeout(9_000),
    );
    expect(result).toBe(failed);
    expect(texts).toEqual(['a', 'b', 'c']);
    expect(await measured.value('rehydra_generation_first_token_seconds_count')).toBe(1);
    const outcome = { outcome: 'first_token_timeout' };
    expect(await measured.value('rehydra_generation_duration_seconds_count', outcome)).toBe(1);
  });
});

describe('a measured archive', () => {
  it('a measured archive counts its failures by call, but not the mistakes of clients', async () => {
    const measured = meters();
    const archive = measuredArchive(
      await openArchive({ databaseUrl: null, dataDir: ':memory:' }),
      measured.meters,
    );
    await expect(archive.of('').search({ limit: 5, cursor: '??' })).rejects.toMatchObject({
      code: 'ARCHIVE_BAD_CURSOR',
    });
    expect(await measured.value('rehydra_archive_errors_total')).toBe(0);
    await archive.close();
    await expect(archive.of('').eraseUser('u', 0)).rejects.toMatchObject({ code: 'ARCHIVE_CLOSED' });
    expect(await measured.value('rehydra_archive_errors_total', { call: 'erase' })).toBe(1);
  });
});
