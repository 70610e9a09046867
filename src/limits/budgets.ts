/** Budgets decides whether a message may start an answer, and charges what answers cost. Without a limit there is none. */
import type { Clock } from '../clock.ts';
import type { ErrorCode } from '../errors.ts';
import type { BudgetName } from '../telemetry/metrics.ts';
import type { Payer } from './payer.ts';
import { RunningAnswers, type Seat } from './running-answers.ts';
import { TokenBudgets, untilNextDayMs } from './token-budgets.ts';

export interface Budgets {
  /** For one session, for as long as it is in memory. */
  seat(): Seat;
  /** Why the message may not be taken, or null; then the session has its seat. Rejects when the store does. */
  admit(payer: Payer, seat: Seat): ErrorCode | null | Promise<ErrorCode | null>;
  charge(payer: Payer, tokens: number): void;
}

export interface BudgetLimits {
  readonly turnsPerUserMax: number;
  readonly turnsPerTenantMax: number;
  readonly tokensPerUserPerDay: number;
  readonly tokensPerTenantPerDay: number;
}

export interface BudgetPorts {
  /** `Store.tally` */
  readonly tally: (name: string, by: number, expiresAt: number) => Promise<number>;
  readonly clock: Pick<Clock, 'now' | 'monotonicMs'>;
  /** Called for each refusal. */
  readonly limited: (budget: BudgetName) => void;
  readonly failed: (error: unknown) => void;
}

/** Null if every limit is 0: then a message costs nothing more than without budgets. */
export function openBudgets(limits: BudgetLimits, ports: BudgetPorts): Budgets | null {
  if (Object.values(limits).every((limit) => limit === 0)) return null;
  const answers = new RunningAnswers({
    perUser: limits.turnsPerUserMax,
    perTenant: limits.turnsPerTenantMax,
  });
  const tokens = new TokenBudgets({
    ...ports,
    perUser: limits.tokensPerUserPerDay,
    perTenant: limits.tokensPerTenantPerDay,
  });
  const decide = (isSpent: boolean, payer: Payer, seat: Seat): ErrorCode | null => {
    if (!isSpent && seat.take(payer)) return null;
    ports.limited(isSpent ? 'tokens' : 'turns');
    return isSpent ? 'token_budget_spent' : 'too_many_turns';
  };
  return {
    seat: () => answers.seat(),
    admit(payer, seat) {
      const isSpent = tokens.isSpent(payer);
      if (typeof isSpent === 'boolean') return decide(isSpent, payer, seat);
      return isSpent.then((spent) => decide(spent, payer, seat));
    },
    charge: (payer, spent) => void tokens.charge(payer, spent),
  };
}

/** How long a client should wait after this refusal; null: the error says nothing about it. */
export function budgetWaitMs(code: ErrorCode, now: number): number | null {
  return code === 'token_budget_spent' ? untilNextDayMs(now) : null;
}
