/** Maps what Redis and its driver report to the store's error codes. */
import { codeOf } from '../../errors.ts';
import { type StoreErrorCode, storeError } from '../failure.ts';

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

/** The command is off limits: a managed Redis hides some commands, an ACL forbids others. */
export function isForbidden(error: unknown): boolean {
  return error instanceof Error && /^(NOPERM|ERR unknown command)/i.test(error.message);
}

export function isDenied(error: Error): boolean {
  return storeCodeOf(error.message) === 'STORE_DENIED';
}

export function redisFailure(cause: unknown): Error {
  if (cause instanceof Error && codeOf(cause).startsWith('STORE_')) return cause;
  // ioredis attaches the command with its arguments: a log line would then show what users wrote.
  if (cause instanceof Error) Reflect.deleteProperty(cause, 'command');
  const reason = cause instanceof Error ? cause.message : String(cause);
  return storeError(storeCodeOf(reason), `redis store: ${reason}`, cause);
}

export function redisError(code: StoreErrorCode, reason: string): Error {
  return storeError(code, `redis store: ${reason}`);
}
