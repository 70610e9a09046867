/** What went wrong below us, in the store's words. The driver's error stays behind as `cause`. */
export type StoreErrorCode = 'STORE_UNAVAILABLE' | 'STORE_FULL' | 'STORE_READONLY' | 'STORE_CLOSED';

function codeOf(cause: unknown): StoreErrorCode {
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
  return cause instanceof Error && 'code' in cause && String(cause.code).startsWith(code);
}

export function storeFailure(cause: unknown): Error {
  const code = codeOf(cause);
  const reason = cause instanceof Error ? cause.message : String(cause);
  return Object.assign(new Error(`sqlite store: ${reason}`, { cause }), { code });
}

export function storeClosed(): Error {
  const code: StoreErrorCode = 'STORE_CLOSED';
  return Object.assign(new Error('sqlite store: closed'), { code });
}
