/** In which order turns are let in: pure, from their texts alone, so that only likely ones need to be counted. */
import { findingsScore, PINNED_FROM } from './findings.ts';
import type { Strategy } from './strategy.ts';
import { bytesOf, type PastTurn } from './turns.ts';

/** Turns in the order of their claim. */
export interface Tier {
  readonly turns: readonly PastTurn[];
  /** How much of the room the tier may take at most. */
  readonly share: number;
  /** The first that does not fit ends the tier: a conversation with a hole in it misleads. */
  readonly contiguous: boolean;
}

const LATEST_TURNS = 2;

/** Where every turn holds a finding, old ones must not push out all that was said lately. */
const PINNED_SHARE = 0.6;

/** `covered`: how many of the oldest turns a summary stands for. */
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
  return [
    {
      turns: newestFirst.slice(0, Math.min(LATEST_TURNS, strategy.turnsMax ?? LATEST_TURNS)),
      share: 1,
      contiguous: false,
    },
    // toSorted is stable: of equal ones the newer comes first
    {
      turns: pinned.toSorted((a, b) => of(score, b) - of(score, a)),
      share: PINNED_SHARE,
      contiguous: false,
    },
    { turns: eligible.toSorted((a, b) => weight(a) - weight(b)), share: 1, contiguous: false },
  ];
}
