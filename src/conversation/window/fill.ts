/** Lets turns in by rank until the room is full. */
import type { Tier } from './rank.ts';
import { bytesOf, type PastTurn } from './turns.ts';

/** No text of words has fewer tokens than this; turns that cannot fit even so need no counting. */
const MOST_BYTES_PER_TOKEN = 8;

/** The turns that could get in at best, each once. */
export function likely(tiers: readonly Tier[], roomTokens: number): readonly PastTurn[] {
  const found = new Set<PastTurn>();
  for (const tier of tiers) {
    let tokens = 0;
    for (const turn of tier.turns) {
      tokens += bytesOf(turn) / MOST_BYTES_PER_TOKEN;
      if (tokens > roomTokens) break;
      found.add(turn);
    }
  }
  return [...found];
}

/** A turn that was not counted does not get in. */
export function fill(
  tiers: readonly Tier[],
  costs: ReadonlyMap<PastTurn, number>,
  roomTokens: number,
): ReadonlySet<PastTurn> {
  const chosen = new Set<PastTurn>();
  let left = roomTokens;
  for (const tier of tiers) {
    let tierLeft = Math.min(left, roomTokens * tier.share);
    for (const turn of tier.turns) {
      if (chosen.has(turn)) continue;
      const cost = costs.get(turn) ?? Number.POSITIVE_INFINITY;
      if (cost > tierLeft) {
        if (tier.contiguous) break;
        continue;
      }
      chosen.add(turn);
      tierLeft -= cost;
      left -= cost;
    }
  }
  return chosen;
}
