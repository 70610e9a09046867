/**
 * Other work on the machine spoils a window. Each window therefore begins in a quiet moment, and the benchmark repeats a
 * noisy one and keeps the quietest: by its noise, never by its result. The extent bounds the time for both; on a noisy
 * machine the document reports the noise.
 */
import type { Extent } from './extent.ts';
import { median } from './summary.ts';
import { readUsage, usageBetween } from './usage.ts';

interface Noisy {
  readonly foreignCores: number;
}

export const QUIET_CORES = 0.1;
const TRIES = 3;
/** A shorter look could not tell a tick of 10 ms from noise. */
const LOOK_MS = 200;
let spentMs = 0;
let ownPids: () => readonly number[] = () => [];
const kept: number[] = [];

/** The noise of the windows that count. */
export function noiseSoFar(): {
  readonly windows: number;
  readonly noisy: number;
  readonly medianCores: number;
} {
  const noisy = kept.filter((cores) => cores > QUIET_CORES).length;
  return { windows: kept.length, noisy, medianCores: median(kept) };
}

/** Names the benchmark's own programs: even at rest, a few servers with their timers take a noticeable share of a core. */
export function exceptFor(pids: () => readonly number[]): void {
  ownPids = pids;
}

async function untilQuiet(budgetMs: number): Promise<void> {
  for (let said = false; spentMs < budgetMs; ) {
    const before = readUsage(ownPids());
    await new Promise((resume) => setTimeout(resume, LOOK_MS));
    const after = readUsage(ownPids());
    const cores = usageBetween(before, after, 0).foreignCores;
    if (cores <= QUIET_CORES) return;
    if (!said) console.error(`other work takes ${cores.toFixed(2)} cores: waiting for a quiet moment`);
    said = true;
    spentMs += after.atMs - before.atMs;
  }
}

export async function quietest<R>(
  { quietMs }: Pick<Extent, 'quietMs'>,
  measure: () => Promise<R>,
  noiseOf: (result: R) => Noisy,
): Promise<R> {
  await untilQuiet(quietMs);
  let best = await measure();
  for (let attempt = 1; attempt < TRIES && spentMs < quietMs; attempt++) {
    if (noiseOf(best).foreignCores <= QUIET_CORES) break;
    const beganAt = performance.now();
    await untilQuiet(quietMs);
    const again = await measure();
    spentMs += performance.now() - beganAt;
    if (noiseOf(again).foreignCores < noiseOf(best).foreignCores) best = again;
  }
  kept.push(noiseOf(best).foreignCores);
  return best;
}

/** Alternates the contenders, so that a slower machine slows all of them; each repeat begins with another one. */
export async function inTurns<C, R>(
  contenders: readonly C[],
  repeats: number,
  measure: (contender: C, repeat: number) => Promise<R>,
): Promise<ReadonlyMap<C, readonly R[]>> {
  const results = new Map<C, R[]>(contenders.map((contender) => [contender, []]));
  for (let repeat = 0; repeat < repeats; repeat++) {
    const order = [
      ...contenders.slice(repeat % contenders.length),
      ...contenders.slice(0, repeat % contenders.length),
    ];
    for (const contender of order) results.get(contender)?.push(await measure(contender, repeat));
  }
  return results;
}
