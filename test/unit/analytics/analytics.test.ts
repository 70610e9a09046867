import { describe, expect, it } from 'vitest';
import { createAnalytics } from '../../../src/analytics/analytics.ts';
import type { ArchiveFigures } from '../../../src/archive/archive.ts';
import { openArchive } from '../../../src/archive/open.ts';
import { openSqliteStore } from '../../../src/store/sqlite/open.ts';

async function place() {
  let now = 1_000;
  let counted = 0;
  let fails = false;
  const store = await openSqliteStore({
    leaseMs: 500,
    frameLogMax: 20,
    inboxMax: 4,
    dataDir: ':memory:',
  });
  const archive = await openArchive({ databaseUrl: null, dataDir: ':memory:' });
  const figures = async (range: {
    readonly from?: number;
    readonly to?: number;
  }): Promise<ArchiveFigures> => {
    counted += 1;
    if (fails) throw new Error('away');
    return archive.of('').figures(range);
  };
  const analytics = createAnalytics(
    store,
    { ...archive, of: (tenant) => ({ ...archive.of(tenant), figures }) },
    () => now,
  );
  return {
    analytics,
    counted: () => counted,
    pass: (ms: number) => {
      now += ms;
    },
    fail: (failing: boolean) => {
      fails = failing;
    },
  };
}

describe('analytics', () => {
  it('analytics count a range once for all requests within a few seconds', async () => {
    const { analytics, counted, pass } = await place();
    await Promise.all([analytics('', { from: 1 }), analytics('', { from: 1 }), analytics('', { from: 2 })]);
    expect(counted()).toBe(2);
    pass(10_000);
    await analytics('', { from: 1 });
    expect(counted()).toBe(3);
  });

  it('analytics count again after a failure', async () => {
    const { analytics, counted, fail } = await place();
    fail(true);
    await expect(analytics('', {})).rejects.toThrow('away');
    fail(false);
    expect((await analytics('', {})).figures.sessions).toBe(0);
    expect(counted()).toBe(2);
  });

  it('analytics keep the figures of the last few ranges only', async () => {
    const { analytics, counted } = await place();
    for (let from = 0; from < 100; from += 1) await analytics('', { from });
    await analytics('', { from: 0 });
    expect(counted()).toBe(101);
  });
});
