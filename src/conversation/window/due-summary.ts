/**
 * Decides when turns are summarised, and how many: early, and in batches.
 *
 * Early: the model writes the summary in the background, so the session asks for it when the window is nearly full. A
 * turn that left the window before its summary would be missing for a while. In batches: each summary frees half the
 * window, so that the prompt's beginning, and with it the server's prefix cache, changes once in many turns.
 */
import type { SummaryCall } from '../port.ts';
import { summaryCall } from '../summary.ts';
import { estimateMessage } from '../tokens/token-counter.ts';
import { ownMessages, type PastTurn } from './turns.ts';

export interface Overflow {
  /** Turns that no summary covers yet, oldest first. */
  readonly uncovered: readonly PastTurn[];
  readonly chosen: ReadonlySet<PastTurn>;
  readonly costs: ReadonlyMap<PastTurn, number>;
  /** For uncovered turns. */
  readonly roomTokens: number;
  readonly turnsMax: number | null;
  readonly earlier: string | null;
  readonly budgetTokens: number;
}

const NEARLY_FULL = 0.8;
const KEPT_SHARE = 0.5;
/** The share of the budget that a summary call reads. */
const SUMMARY_INPUT_SHARE = 0.6;

export function dueSummary(overflow: Overflow): SummaryCall | null {
  const { uncovered, chosen, costs, roomTokens, turnsMax } = overflow;
  const cost = (turn: PastTurn): number =>
    costs.get(turn) ?? ownMessages(turn).reduce((sum, message) => sum + estimateMessage(message), 0);
  const used = uncovered.reduce((sum, turn) => sum + (chosen.has(turn) ? cost(turn) : 0), 0);
  const isDue =
    uncovered.some((turn) => !chosen.has(turn)) ||
    used > roomTokens * NEARLY_FULL ||
    (turnsMax !== null && uncovered.length >= turnsMax);
  if (!isDue) return null;

  const turnsKept = turnsMax === null ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(turnsMax / 2));
  let kept = 0;
  let keptTokens = 0;
  for (const turn of uncovered.toReversed()) {
    keptTokens += cost(turn);
    if (keptTokens > roomTokens * KEPT_SHARE || kept >= turnsKept) break;
    kept += 1;
  }
  const leaving = uncovered.slice(0, uncovered.length - kept);
  return summaryCall(overflow.earlier, leaving, Math.floor(overflow.budgetTokens * SUMMARY_INPUT_SHARE));
}
