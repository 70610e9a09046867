/**
 * Chance as a function of a seed and a name. Streams of different names do not disturb each other, so a plan from
 * which a fault was taken away still plays the rest of it as before: that is what makes shrinking work.
 */
import { crc32 } from 'node:zlib';
import { seeded } from '../fault/chaos/figures.ts';

export interface Random {
  /** 0 ≤ x < 1 */
  next(): number;
  /** A whole number, 0 ≤ n < below. */
  below(below: number): number;
  /** A whole number, from ≤ n ≤ to. */
  between(from: number, to: number): number;
  chance(probability: number): boolean;
  pick<T>(list: readonly T[]): T;
}

export function randomStream(seed: number, name: string): Random {
  const next = seeded(crc32(`${seed}/${name}`));
  const below = (limit: number) => Math.floor(next() * limit);
  return {
    next,
    below,
    between: (from, to) => from + below(to - from + 1),
    chance: (probability) => next() < probability,
    pick: (list) => list[below(list.length)]!,
  };
}
