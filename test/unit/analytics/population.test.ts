import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { watchPopulation } from '../../../src/analytics/population.ts';
import type { Archive } from '../../../src/archive/archive.ts';
import type { Store } from '../../../src/store/contract.ts';
import { openMeters } from '../../../src/telemetry/meters.ts';
import { VirtualClock } from '../../support/actor/virtual-clock.ts';

const HOUR_MS = 3_600_000;

describe('the population of the stores', () => {
  it.each([0, -HOUR_MS, HOUR_MS])(
    'a scrape counts living sessions every two seconds when the wall clock is set by %d ms',
    async (byMs) => {
      const clock = new VirtualClock(10 * HOUR_MS);
      const registry = new Registry();
      let counted = 0;
      const store: Partial<Store> = {
        health: async () => ({ ok: true, kind: 'sqlite', durability: 'memory' }),
        list: async () => ({ sessionIds: [], cursor: null }),
        countByState: async () => {
          counted += 1;
          return { idle: counted };
        },
      };
      watchPopulation(registry, {
        store: store as Store,
        archive: { health: async () => true } as Partial<Archive> as Archive,
        meters: openMeters(registry),
        now: () => clock.now(),
        monotonicMs: () => clock.monotonicMs(),
        endsAt: async () => null,
      });
      const scraped = async () =>
        /rehydra_sessions\{state="idle"\} (\d+)/.exec(await registry.metrics())?.[1];
      expect(await scraped()).toBe('1');
      clock.set(byMs);
      await clock.advanceTo(clock.now() + 1_999, async () => {});
      expect(await scraped()).toBe('1');
      await clock.advanceTo(clock.now() + 1, async () => {});
      expect(await scraped()).toBe('2');
    },
  );
});
