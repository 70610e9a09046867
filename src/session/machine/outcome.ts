/** Outcome is what became of one input to a session. */
import type { ErrorCode } from '../../errors.ts';

export type Outcome =
  /** Stored, or known to need no storing. */
  | { readonly kind: 'done' }
  /** In the session's inbox; the owner will take it. */
  | { readonly kind: 'passed' }
  | { readonly kind: 'refused'; readonly code: ErrorCode }
  /** The actor stopped before it took the input: the session router must try again. */
  | { readonly kind: 'untaken' };

/** One word for the audit log. */
export const wordOf = (outcome: Outcome): 'ok' | 'passed' | ErrorCode =>
  outcome.kind === 'refused' ? outcome.code : outcome.kind === 'passed' ? 'passed' : 'ok';

export const done: Outcome = { kind: 'done' };
export const untaken: Outcome = { kind: 'untaken' };
export const refused = (code: ErrorCode): Outcome => ({ kind: 'refused', code });
