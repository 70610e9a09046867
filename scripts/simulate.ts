// npm run simulate -- [--seed N] [--seeds M] [--bug NAME] [--trace]
//
// Plays M worlds of test/simulation from seed N on, and prints the first broken promise with its shortest trace.
// --trace plays one seed and prints its trace. --bug plays a world with a planted bug.

import { parseArgs } from 'node:util';
import { campaign, report, summary } from '../test/simulation/campaign.ts';
import { planOf } from '../test/simulation/fault-plan.ts';
import { plantedBugs } from '../test/simulation/planted-bugs.ts';
import { FAITHFUL, runWorld, type Variant } from '../test/simulation/world/world.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string' },
    bug: { type: 'string' },
    trace: { type: 'boolean', default: false },
  },
});

const from = numberOf('seed', values.seed);
const seeds = numberOf('seeds', values.seeds ?? '1');
const variant = variantOf(values.bug);
process.exitCode = values.trace ? await showTrace() : await play();

async function play(): Promise<number> {
  const outcome = await campaign({ from, seeds, enough: 1, variant });
  console.log(summary(outcome));
  const [first] = outcome.broken;
  if (first !== undefined) console.log(await report(first, { variant }));
  return first === undefined ? 0 : 1;
}

async function showTrace(): Promise<number> {
  const plan = planOf(from);
  const { trace, violation, hash } = await runWorld(plan, { variant, traced: true });
  console.log(JSON.stringify(plan));
  console.log(trace.join('\n'));
  console.log(
    violation === null ? `every promise kept; ${hash}` : `${violation.promise}: ${violation.words}`,
  );
  return violation === null ? 0 : 1;
}

function variantOf(name: string | undefined): Variant {
  if (name === undefined) return FAITHFUL;
  const found = Object.entries(plantedBugs).find(([bug]) => bug.includes(name));
  if (found === undefined) throw new Error(`--bug is part of one of: ${Object.keys(plantedBugs).join('; ')}`);
  return found[1];
}

function numberOf(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${option} must be a whole number`);
  return value;
}
