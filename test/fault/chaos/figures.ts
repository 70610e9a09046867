/** Tools of every fault test: random numbers that a seed repeats, lines for the reader, waits, and parallel work. */
import { eventually } from '../../support/instance/observed.ts';

export type Random = () => number;

/** mulberry32: small, even enough, and the same on every machine. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A whole number from `from` to `to`, both included. */
export function between(random: Random, from: number, to: number): number {
  return from + Math.floor(random() * (to - from + 1));
}

/** CHAOS_SEED if it is set, so that a failure can be repeated; otherwise a new seed. */
export function chaosSeed(): number {
  const given = Number(process.env.CHAOS_SEED ?? Number.NaN);
  return Number.isSafeInteger(given) ? given : Math.floor(Math.random() * 1_000_000);
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** Prints a line for the reader of the test, whether it passes or not. */
export function tell(line: string): void {
  process.stdout.write(`  ▸ ${line}\n`);
}

/** A bound on waiting, not a measurement: a busy machine takes longer. */
const PATIENCE_MS = 180_000;

export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  { everyMs = 50, withinMs = PATIENCE_MS }: { readonly everyMs?: number; readonly withinMs?: number } = {},
): Promise<void> {
  await eventually(what, condition, (holds) => holds, withinMs, everyMs);
}

/** Runs the body for all items, at most so many at a time. */
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
