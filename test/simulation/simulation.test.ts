/** The service as it is, in thousands of small worlds in which everything goes wrong. */
import { describe, expect, it } from 'vitest';
import { campaign, report, summary } from './campaign.ts';
import { planOf } from './fault-plan.ts';
import { runWorld } from './world.ts';

const SEEDS = 3_000;

/** What a world must have come across for its promises to mean anything. Written as a trace says it. */
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
  'a client is told that frames are lost': /is reset to \d+: rolled_back/,
  'a client is told that frames are trimmed': /is reset to \d+: trimmed/,
  'a follower is hinted of an end': /hears: hint ended/,
  'a slow reader is sent away': /is closed: 4010/,
  'an instance drains': /is closed: 1012 draining/,
  'a session expires': /gets \d+ expired/,
};

describe('simulation', () => {
  it(`keeps every promise in ${SEEDS} worlds`, async () => {
    const { broken, ...rest } = await campaign({ from: 1, seeds: SEEDS, enough: 1 });
    process.stdout.write(`${summary({ ...rest, broken })}\n`);
    const [first] = broken;
    if (first !== undefined) throw new Error(await report(first));
    expect(rest.sessionsEnded).toBeGreaterThan(SEEDS);
  });

  it('tells the same story each time it is given the same seed', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const plan = planOf(seed);
      const first = await runWorld(plan, { traced: true });
      const again = await runWorld(plan, { traced: true });
      expect(again.hash, `seed ${seed}`).toBe(first.hash);
    }
  });

  it('leaves nothing half done between two steps: more rounds for promises change no story', async () => {
    for (let seed = 41; seed <= 70; seed++) {
      const plan = planOf(seed);
      const usual = await runWorld(plan, { traced: true });
      const patient = await runWorld(plan, { traced: true, rounds: 256 });
      expect(patient.hash, `seed ${seed}`).toBe(usual.hash);
    }
  });

  it('comes across what it is about', async () => {
    const unseen = new Set(Object.keys(SIGHTS));
    for (let seed = 1; seed <= 600 && unseen.size > 0; seed++) {
      const { trace } = await runWorld(planOf(seed), { traced: true });
      const story = trace.join('\n');
      for (const sight of unseen) if (SIGHTS[sight]?.test(story)) unseen.delete(sight);
    }
    expect([...unseen]).toEqual([]);
  });
});
