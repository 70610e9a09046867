import { CodedError, codeOf } from '../errors.ts';

/**
 * Reasons for which a start fails and that an operator can mend. They are told in one line; only a bug shows its stack.
 */

/** Codes of our own errors, and of the system calls that a start makes. */
const ANTICIPATED = /^(START|STORE|ARCHIVE)_|^E[A-Z]+$/;

export function startFailure(reason: string, cause?: unknown): Error {
  return new CodedError('START_REFUSED', reason, { cause });
}

/** The reason in one line without passwords; null where the error is a bug. */
export function reasonOf(error: unknown): string | null {
  if (!(error instanceof Error) || !ANTICIPATED.test(codeOf(error))) return null;
  return withoutPasswords(error.message === '' ? codeOf(error) : error.message).replaceAll(/\s*\n\s*/g, ' ');
}

/** URLs as logs may show them. A password may hold a slash or an @ itself, so all before the last @ goes. */
export function withoutPasswords(text: string): string {
  return text.replaceAll(/:\/\/\S*@/g, '://***@');
}
