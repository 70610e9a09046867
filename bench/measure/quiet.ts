/**
 * Other work on the machine spoils a window. So each begins in a quiet moment where there is one, and a noisy one is
 * measured again and the quietest kept: chosen by its noise, never by its result. The time for both is bounded for
 * the whole run by the extent: on a machine that is never quiet the noise is told and that is all.
 */
import type { Extent } from './extent.ts';
import { median } from './summary.ts';
import { readUsage } from './usage.ts';

interface Noisy {
  readonly foreignCores: number;
}

const QUIET_CORES = 0.15;
const TRIES = 3;
const LOOK_MS = 100;
let spentMs = 0;
const kept: number[] = [];

/** Of the windows that count. */
export function noiseSoFar(): {
  readonly windows: number;
  readonly noisy: number;
  readonly medianCores: number;
} {
  const noisy = kept.filter((cores) => cores > QUIET_CORES).length;
  return { windows: kept.length, noisy, medianCores: median(kept) };
}

/** Between two windows our own programs rest: what is busy then is somebody else's. */
async function calm(budgetMs: number): Promise<void> {
  while (spentMs < budgetMs) {
    const before = readUsage([]);
    await new Promise((resume) => setTimeout(resume, LOOK_MS));
    const after = readUsage([]);
    if ((after.busyMs - before.busyMs) / (after.atMs - before.atMs) <= QUIET_CORES) return;
    spentMs += after.atMs - before.atMs;
  }
}

export async function quietest<R>(
  { quietMs }: Pick<Extent, 'quietMs'>,
  measure: () => Promise<R>,
  noiseOf: (result: R) => Noisy,
): Promise<R> {
  await calm(quietMs);
  let best = await measure();
  for (let attempt = 1; attempt < TRIES && spentMs < quietMs; attempt++) {
    if (noiseOf(best).foreignCores <= QUIET_CORES) break;
    const beganAt = performance.now();
    await calm(quietMs);
    const again = await measure();
    spentMs += performance.now() - beganAt;
    if (noiseOf(again).foreignCores < noiseOf(best).foreignCores) best = again;
  }
  kept.push(noiseOf(best).foreignCores);
  return best;
}
