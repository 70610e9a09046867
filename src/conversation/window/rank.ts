/** Ranks past turns by their texts alone, so that the server counts only likely ones, and fills the room by rank. */
import { findingsScore, PINNED_FROM } from './findings.ts';
import type { Strategy } from './strategy.ts';
import { bytesOf, type PastTurn } from './turns.ts';

/** Turns in the order of their rank. */
export interface Tier {
  readonly turns: readonly PastTurn[];
  /** How much of the room the tier may take at most. */
  readonly share: number;
  /** The first turn that does not fit ends the tier: a conversation with a hole in it misleads. */
  readonly contiguous: boolean;
}

const LATEST_TURNS = 2;
/** If every turn holds a finding, old turns must not push out all recent ones. */
const PINNED_SHARE = 0.6;
/** Prose has at least one token in this many bytes: a turn that cannot fit even so needs no count. */
const MOST_BYTES_PER_TOKEN = 8;

/** `covered`: how many of the oldest turns the summary covers. */
export function rank(strategy: Strategy, past: readonly PastTurn[], covered: number): readonly Tier[] {
  const newestFirst = past.toReversed();
  const uncovered = newestFirst.slice(0, past.length - covered);
  const eligible = strategy.turnsMax === null ? uncovered : uncovered.slice(0, strategy.turnsMax);
  if (!strategy.adaptive) return [{ turns: eligible, share: 1, contiguous: true }];

  const age = new Map(newestFirst.map((turn, index) => [turn, index + 1]));
  const score = new Map(newestFirst.map((turn) => [turn, findingsScore(turn.question)]));
  const of = (map: ReadonlyMap<PastTurn, number>, turn: PastTurn): number => map.get(turn) ?? 0;
  const weight = (turn: PastTurn): number => (bytesOf(turn) * of(age, turn)) / (1 + of(score, turn));
  const pinned = newestFirst.filter((turn) => of(score, turn) >= PINNED_FROM);
  // toSorted is stable: of equal turns the newer comes first.
  const pinnedFirst = pinned.toSorted((a, b) => of(score, b) - of(score, a));
  const lightestFirst = eligible.toSorted((a, b) => weight(a) - weight(b));
  const latest = newestFirst.slice(0, Math.min(LATEST_TURNS, strategy.turnsMax ?? LATEST_TURNS));
  return [
    { turns: latest, share: 1, contiguous: false },
    { turns: pinnedFirst, share: PINNED_SHARE, contiguous: false },
    { turns: lightestFirst, share: 1, contiguous: false },
  ];
}

/** The turns that could fit at best, each once. */
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

/** The turns that fit, by rank. A turn without a cost stays out. */
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
