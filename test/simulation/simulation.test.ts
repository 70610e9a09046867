/** The unchanged service runs in thousands of small worlds full of faults. */
import { describe, expect, it } from 'vitest';
import { campaign, report, summary } from './campaign.ts';
import { planOf } from './fault-plan.ts';
import { runWorld } from './world/world.ts';

const SEEDS = 3_000;

/** Events that the worlds must contain, as a trace names them; without them the kept promises would mean nothing. */
const SIGHTS: Readonly<Record<string, RegExp>> = {
  'an owner is fenced': /(commit|append|renew|release) \w+ → fenced/,
  'an owner finds that its memory is stale': /(commit|append) \w+ → conflict/,
  'a message is sent twice': /commit \w+ → duplicate/,
  'input comes by the inbox': /readInbox \w+ → \[[1-9]/,
  'an owner that leaves finds input': /release \w+ → pending/,
  'an answer is continued from what is stored': /generates, attempt \d, after "[^"]/,
  'an answer starts over': /generation restart/,
  'an upstream fails and is asked again': /generates, attempt 2/,
  'a write is sent again after its reply was lost': /(commit|append) \w+: lose reply/,
  'a client gets a reset for lost frames': /is reset to \d+: rolled_back/,
  'a client gets a reset for trimmed frames': /is reset to \d+: trimmed/,
  'a follower is hinted of an end': /hears: hint ended/,
  'a slow reader is disconnected': /is closed: 4010/,
  'an instance drains': /is closed: 1012 draining/,
  'a session expires': /gets \d+ expired/,
};

describe('simulation', () => {
  it(`the service keeps every promise in ${SEEDS} simulated worlds`, async () => {
    const { broken, ...rest } = await campaign({ from: 1, seeds: SEEDS, enough: 1 });
    process.stdout.write(`${summary({ ...rest, broken })}\n`);
    const [first] = broken;
    if (first !== undefined) throw new Error(await report(first));
    expect(rest.sessionsEnded).toBeGreaterThan(SEEDS);
  });

  it('a simulated world tells the same story for the same seed', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const plan = planOf(seed);
      const first = await runWorld(plan, { traced: true });
      const again = await runWorld(plan, { traced: true });
      expect(again.hash, `seed ${seed}`).toBe(first.hash);
    }
  });

  it('more microtask rounds between two steps change no story of a simulated world', async () => {
    for (let seed = 41; seed <= 70; seed++) {
      const plan = planOf(seed);
      const usual = await runWorld(plan, { traced: true });
      const patient = await runWorld(plan, { traced: true, rounds: 256 });
      expect(patient.hash, `seed ${seed}`).toBe(usual.hash);
    }
  });

  it('the simulated worlds contain every kind of fault and recovery that they must test', async () => {
    const unseen = new Set(Object.keys(SIGHTS));
    for (let seed = 1; seed <= 600 && unseen.size > 0; seed++) {
      const { trace } = await runWorld(planOf(seed), { traced: true });
      const story = trace.join('\n');
      for (const sight of unseen) if (SIGHTS[sight]?.test(story)) unseen.delete(sight);
    }
    expect([...unseen]).toEqual([]);
  });
});
