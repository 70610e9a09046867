/**
 * Shrink makes a failing plan small: it removes one part at a time while the promise stays broken. The run ends at the
 * broken promise, so fewer parts mean a shorter trace too.
 */
import type { ClientPlan, Plan } from './fault-plan.ts';
import type { Violation } from './judge/violations.ts';
import { type Run, type RunOptions, runWorld } from './world/world.ts';

export interface Shrunk {
  readonly plan: Plan;
  readonly run: Run;
  readonly tries: number;
}

const TRIES_MAX = 400;

export async function shrink(plan: Plan, violation: Violation, options: RunOptions = {}): Promise<Shrunk> {
  let smallest = plan;
  let tries = 0;
  for (let wentOn = true; wentOn && tries < TRIES_MAX; ) {
    wentOn = false;
    for (const smaller of smallerPlans(smallest)) {
      if (tries >= TRIES_MAX) break;
      tries += 1;
      const run = await runWorld(smaller, options);
      if (run.violation?.promise !== violation.promise) continue;
      smallest = smaller;
      wentOn = true;
      break;
    }
  }
  return { plan: smallest, run: await runWorld(smallest, { ...options, traced: true }), tries };
}

/** The plan without one part, the largest parts first. */
function* smallerPlans(plan: Plan): Generator<Plan> {
  for (const client of plan.clients)
    if (plan.clients.length > 1) yield { ...plan, clients: without(plan.clients, client) };
  for (const fault of plan.faults) yield { ...plan, faults: without(plan.faults, fault) };
  for (const client of plan.clients) {
    for (const act of client.acts) {
      const less: ClientPlan = { ...client, acts: without(client.acts, act) };
      if (less.acts.length === 0) continue;
      yield { ...plan, clients: plan.clients.map((one) => (one === client ? less : one)) };
    }
  }
}

function without<T>(list: readonly T[], one: T): readonly T[] {
  return list.filter((other) => other !== one);
}
