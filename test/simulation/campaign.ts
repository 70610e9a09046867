/** Campaign runs many worlds, one seed each, and reports the first one that breaks a promise. */
import { type Plan, planOf } from './fault-plan.ts';
import type { Violation } from './judge/violations.ts';
import { shrink } from './shrink.ts';
import { type RunOptions, runWorld } from './world/world.ts';

export interface Broken {
  readonly seed: number;
  readonly plan: Plan;
  readonly violation: Violation;
}

export interface Campaign {
  readonly seeds: number;
  readonly steps: number;
  readonly sessionsEnded: number;
  readonly tookMs: number;
  readonly broken: readonly Broken[];
}

export interface CampaignOptions extends RunOptions {
  readonly from: number;
  readonly seeds: number;
  /** Stops after so many broken worlds. */
  readonly enough: number;
  /** Starts no further seed after this long. */
  readonly withinMs?: number;
}

export async function campaign({
  from,
  seeds,
  enough,
  withinMs,
  ...run
}: CampaignOptions): Promise<Campaign> {
  const startedAt = performance.now();
  const took = () => performance.now() - startedAt;
  const broken: Broken[] = [];
  let [done, steps, sessionsEnded] = [0, 0, 0];
  while (done < seeds && broken.length < enough && took() < (withinMs ?? Number.POSITIVE_INFINITY)) {
    const plan = planOf(from + done);
    const outcome = await runWorld(plan, run);
    done += 1;
    steps += outcome.steps;
    sessionsEnded += outcome.ended;
    if (outcome.violation !== null) broken.push({ seed: plan.seed, plan, violation: outcome.violation });
  }
  return { seeds: done, steps, sessionsEnded, tookMs: took(), broken };
}

/** Describes the broken promise with the shortest trace that shows it. */
export async function report({ seed, plan, violation }: Broken, options: RunOptions = {}): Promise<string> {
  const small = await shrink(plan, violation, options);
  const { faults, clients } = small.plan;
  const told = small.run.violation ?? violation;
  return [
    `seed ${seed} breaks ${told.promise} after ${told.atMs.toFixed(0)} ms: ${told.words}`,
    `shrunk in ${small.tries} runs to ${faults.length} faults and ${clients.length} clients:`,
    ...faults.map((fault) => `  fault ${JSON.stringify(fault)}`),
    ...clients.map(
      ({ name, session, from, acts }) =>
        `  ${name}, session ${session}, from ${from}: ${JSON.stringify(acts)}`,
    ),
    ...small.run.trace.filter((line) => !/ (heartbeat|sweep|list) /.test(line)),
    `see it again: npm run simulate -- --seed ${seed}`,
  ].join('\n');
}

export function summary({ seeds, steps, sessionsEnded, tookMs, broken }: Campaign): string {
  const perMinute = Math.round((seeds / tookMs) * 60_000);
  const found = broken.map(({ seed, violation }) => `${seed} (${violation.promise})`).join(', ');
  return `${seeds} seeds, ${steps} steps, ${sessionsEnded} sessions ended in ${(tookMs / 1000).toFixed(1)} s: ${perMinute} seeds per minute${found === '' ? '' : `; broken: ${found}`}`;
}
