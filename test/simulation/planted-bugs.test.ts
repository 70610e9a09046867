/** The simulation must find planted bugs: if it found nothing, it would prove nothing. */
import { describe, expect, it } from 'vitest';
import { campaign, summary } from './campaign.ts';
import { planOf } from './fault-plan.ts';
import type { Promised } from './judge/violations.ts';
import { plantedBugs } from './planted-bugs.ts';
import { runWorld } from './world/world.ts';

/** The promise that each breaks first. */
const CAUGHT_BY = {
  'the fence is not checked': 'G1',
  'the output gate is open': 'G2',
  'the inbox is acknowledged when it is read': 'G6',
} as const satisfies Partial<Record<keyof typeof plantedBugs, Promised>>;

const SEEDS = 1_500;

describe('planted bugs', () => {
  for (const [name, promise] of Object.entries(CAUGHT_BY) as [keyof typeof CAUGHT_BY, Promised][]) {
    it(`the simulation detects that ${name}`, async () => {
      const found = await campaign({ from: 1, seeds: SEEDS, enough: 2, variant: plantedBugs[name] });
      process.stdout.write(`${name}: ${summary(found)}\n`);
      expect(found.broken.map(({ violation }) => violation.promise)).toEqual([promise, promise]);
      for (const { seed } of found.broken)
        expect((await runWorld(planOf(seed))).violation, `seed ${seed} without the bug`).toBeNull();
    });
  }
});
