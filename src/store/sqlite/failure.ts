/** Maps what SQLite reports to the store's error codes. */
import { codeOf } from '../../errors.ts';
import { type StoreErrorCode, storeError } from '../failure.ts';

export function isReadOnly(cause: unknown): boolean {
  return codeOf(cause).startsWith('SQLITE_READONLY');
}

export function sqliteFailure(cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return storeError(storeCodeOf(cause), `sqlite store: ${reason}`, cause);
}

function storeCodeOf(cause: unknown): StoreErrorCode {
  if (codeOf(cause).startsWith('SQLITE_FULL')) return 'STORE_FULL';
  return isReadOnly(cause) ? 'STORE_READONLY' : 'STORE_UNAVAILABLE';
}

export function storeClosed(): Error {
  return storeError('STORE_CLOSED', 'sqlite store: closed');
}
