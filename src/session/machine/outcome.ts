/** Outcome is the result of one input to a session. */
import type { SessionEnds } from '../../../machines/effects.ts';
import type { ErrorCode } from '../../errors.ts';
import type { Step } from './step.ts';

export type Outcome =
  /** Stored, or without any change to store. */
  | { readonly kind: 'done' }
  /** The deadlines moved, and are stored. */
  | { readonly kind: 'extended'; readonly ends: SessionEnds }
  /** Stored in the session's inbox; the owner will take it. */
  | { readonly kind: 'passed' }
  | { readonly kind: 'refused'; readonly code: ErrorCode }
  /** The actor stopped before it took the input: the session router tries again. */
  | { readonly kind: 'untaken' };

/** The outcome as the audit log writes it. */
export const wordOf = (outcome: Outcome): 'ok' | 'passed' | ErrorCode =>
  outcome.kind === 'refused' ? outcome.code : outcome.kind === 'passed' ? 'passed' : 'ok';

export const done: Outcome = { kind: 'done' };
export const untaken: Outcome = { kind: 'untaken' };
export const refused = (code: ErrorCode): Outcome => ({ kind: 'refused', code });

/** The answer to the sender of an input whose transition ended with `outcome`. */
export function answerOf(outcome: Outcome, { effects }: Step): Outcome {
  if (outcome.kind !== 'done') return outcome;
  const extended = effects.find((effect) => effect.type === 'extended');
  if (extended === undefined) return outcome;
  const { expiresAt, absoluteExpiresAt } = extended;
  return { kind: 'extended', ends: { expiresAt, absoluteExpiresAt } };
}
