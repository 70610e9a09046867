import type { ErrorCode } from '../../errors.ts';

/** What became of one input to a session. */
export type Outcome =
  /** Stored, or known to need no storing. */
  | { readonly kind: 'done' }
  /** Lies in the session's inbox; its owner will take it. */
  | { readonly kind: 'passed' }
  | { readonly kind: 'refused'; readonly code: ErrorCode }
  /** This actor stopped before it took the input: ask the directory again. */
  | { readonly kind: 'untaken' };

/** In a word, for who only notes it. */
export const wordOf = (outcome: Outcome): 'ok' | 'passed' | ErrorCode =>
  outcome.kind === 'refused' ? outcome.code : outcome.kind === 'passed' ? 'passed' : 'ok';

export const done: Outcome = { kind: 'done' };
export const untaken: Outcome = { kind: 'untaken' };
export const refused = (code: ErrorCode): Outcome => ({ kind: 'refused', code });
