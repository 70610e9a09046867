/**
 * SessionBudget is the part of one session in the budgets of its users: the seat of its running answer (SEAT-1), and the
 * question whether a message may start one. The author of a message pays.
 */
import type { SessionContext, SessionEvent } from '../../../machines/vocabulary.ts';
import type { ErrorCode } from '../../errors.ts';
import type { Budgets } from '../../limits/budgets.ts';
import { payerOf } from '../../limits/payer.ts';
import type { Seat } from '../../limits/running-answers.ts';
import type { TranscriptEntry, TranscriptRecord } from '../../store/contract.ts';

/** An event that may start an answer. */
export type AskingEvent = Extract<SessionEvent, { readonly type: 'message' | 'regenerate' }>;

export class SessionBudget {
  readonly #budgets: Budgets;
  readonly #seat: Seat;

  constructor(budgets: Budgets, context: SessionContext) {
    this.#budgets = budgets;
    this.#seat = budgets.seat();
    // A new owner finds an answer under way. Its author is in the transcript, which is still in the store.
    if (context.turn !== null) this.#seat.assign(payerOf(null, context));
  }

  /** Why the message is refused; null: it may be taken. Call `follow` once it was. */
  async admit({ author }: AskingEvent, context: SessionContext): Promise<ErrorCode | null> {
    try {
      return await this.#budgets.admit(payerOf(author, context), this.#seat);
    } catch {
      return 'store_unavailable';
    }
  }

  /** Follows a stored transition: the answer ended, or one began, perhaps to a message of another author in the queue. */
  follow(context: SessionContext, stored: readonly TranscriptRecord[]): void {
    const { turn } = context;
    if (turn === null) return this.#seat.leave();
    const question = stored.find(
      (one): one is TranscriptEntry => 'role' in one && one.role === 'user' && one.turnId === turn.id,
    );
    if (question !== undefined) this.#seat.assign(payerOf(question.author, context));
  }

  leave(): void {
    this.#seat.leave();
  }
}
