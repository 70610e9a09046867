import { CodedError, codeOf } from '../../errors.ts';

/**
 * What went wrong below us, in the store's words. A rejected promise means that nothing is known (P7); the code
 * tells an operator where to look, and the driver's error stays behind as `cause`.
 */
export type StoreErrorCode =
  | 'STORE_UNAVAILABLE'
  | 'STORE_TIMEOUT'
  | 'STORE_OOM'
  | 'STORE_READONLY'
  | 'STORE_LOADING'
  | 'STORE_CLUSTERDOWN'
  | 'STORE_DENIED'
  /** Redis refused what we sent: a script of ours has a bug, or a key is not what it must be. */
  | 'STORE_REPLY'
  /** Deleted, and nobody can read it any more; its bytes may still be in files. */
  | 'STORE_NOT_SCRUBBED'
  | 'STORE_CLOSED';

const KNOWN: readonly (readonly [RegExp, StoreErrorCode])[] = [
  [/^OOM /, 'STORE_OOM'],
  [/^(READONLY|MISCONF|NOREPLICAS|MASTERDOWN)\b/, 'STORE_READONLY'],
  [/^LOADING\b/, 'STORE_LOADING'],
  [/^(CLUSTERDOWN|TRYAGAIN|MOVED|ASK)\b|Too many Cluster redirections|slots cache/i, 'STORE_CLUSTERDOWN'],
  [/^(NOAUTH|WRONGPASS|NOPERM)\b/, 'STORE_DENIED'],
  [/^BUSY\b|Command timed out|Socket timeout/, 'STORE_TIMEOUT'],
  [/^(ERR|WRONGTYPE)\b/, 'STORE_REPLY'],
];

function storeCodeOf(reason: string): StoreErrorCode {
  return KNOWN.find(([pattern]) => pattern.test(reason))?.[1] ?? 'STORE_UNAVAILABLE';
}

/** Redis may not do this for us, whoever asks: a managed one hides some commands, an ACL others. */
export function isForbidden(error: unknown): boolean {
  return error instanceof Error && /^(NOPERM|ERR unknown command)/i.test(error.message);
}

export function isDenied(error: Error): boolean {
  return storeCodeOf(error.message) === 'STORE_DENIED';
}

export function storeFailure(cause: unknown): Error {
  if (isStoreFailure(cause)) return cause;
  // ioredis hangs the command with all its arguments on the error: a log line would carry what users wrote.
  if (cause instanceof Error) Reflect.deleteProperty(cause, 'command');
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new CodedError(storeCodeOf(reason), `redis store: ${reason}`, { cause });
}

export function storeError(code: StoreErrorCode, reason: string): Error {
  return new CodedError(code, `redis store: ${reason}`);
}

function isStoreFailure(cause: unknown): cause is Error {
  return cause instanceof Error && codeOf(cause).startsWith('STORE_');
}
