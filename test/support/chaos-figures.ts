/** Numbers of a fault test: random ones that can be had again from their seed, and measured ones to be read. */

export type Random = () => number;

/** mulberry32: small, even enough, the same everywhere. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A whole number from `from` up to and with `to`. */
export function between(random: Random, from: number, to: number): number {
  return from + Math.floor(random() * (to - from + 1));
}

/** CHAOS_SEED where it is set, so that a failure can be had again; else a new one. */
export function chaosSeed(): number {
  const given = Number(process.env.CHAOS_SEED ?? Number.NaN);
  return Number.isSafeInteger(given) ? given : Math.floor(Math.random() * 1_000_000);
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** What somebody who runs the test wants to read, whether it passed or not. */
export function tell(line: string): void {
  process.stdout.write(`  ▸ ${line}\n`);
}

/** A bound on waiting, not a measurement: on a machine with other things to do all takes longer. */
const PATIENCE_MS = 180_000;

export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  { everyMs = 50, withinMs = PATIENCE_MS }: { readonly everyMs?: number; readonly withinMs?: number } = {},
): Promise<void> {
  const startedMs = Date.now();
  while (!(await condition())) {
    if (Date.now() - startedMs > withinMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resume) => setTimeout(resume, everyMs));
  }
}

/** Runs the body for all items, so many at a time. */
export async function inParallel<T, R>(
  items: readonly T[],
  width: number,
  body: (item: T, index: number) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      results[index] = await body(items[index] as T, index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, work));
  return results;
}
