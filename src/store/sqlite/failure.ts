/** What went wrong below us, in the store's words. The driver's error stays behind as `cause`. */
export type StoreErrorCode = 'STORE_UNAVAILABLE' | 'STORE_FULL' | 'STORE_READONLY' | 'STORE_CLOSED';

function codeOf(cause: unknown): StoreErrorCode {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (code.startsWith('SQLITE_FULL')) return 'STORE_FULL';
  if (code.startsWith('SQLITE_READONLY')) return 'STORE_READONLY';
  return 'STORE_UNAVAILABLE';
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
