import { CodedError, codeOf } from '../../errors.ts';

/** What went wrong below us, in the store's words. The driver's error stays behind as `cause`. */
export type StoreErrorCode = 'STORE_UNAVAILABLE' | 'STORE_FULL' | 'STORE_READONLY' | 'STORE_CLOSED';

function storeCodeOf(cause: unknown): StoreErrorCode {
  if (has(cause, 'SQLITE_FULL')) return 'STORE_FULL';
  if (isReadOnly(cause)) return 'STORE_READONLY';
  return 'STORE_UNAVAILABLE';
}

/** Another process holds a lock on the file. */
export function isBusy(cause: unknown): boolean {
  return has(cause, 'SQLITE_BUSY') || has(cause, 'SQLITE_LOCKED');
}

export function isReadOnly(cause: unknown): boolean {
  return has(cause, 'SQLITE_READONLY');
}

function has(cause: unknown, code: string): boolean {
  return codeOf(cause).startsWith(code);
}

export function storeFailure(cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new CodedError(storeCodeOf(cause), `sqlite store: ${reason}`, { cause });
}

export function storeClosed(): Error {
  return new CodedError<StoreErrorCode>('STORE_CLOSED', 'sqlite store: closed');
}
