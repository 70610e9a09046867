/** Names the errors of every store; the code shows an operator where to look. */
import { CodedError } from '../errors.ts';

export type StoreErrorCode =
  | 'STORE_UNAVAILABLE'
  | 'STORE_TIMEOUT'
  | 'STORE_OOM'
  | 'STORE_FULL'
  | 'STORE_READONLY'
  | 'STORE_LOADING'
  | 'STORE_CLUSTERDOWN'
  | 'STORE_DENIED'
  /** Redis refused a command or script of the store, or a reply breaks its format: a bug. */
  | 'STORE_REPLY'
  /** No listing wrote this cursor. */
  | 'STORE_CURSOR'
  /** No key of this instance opens the stored text. */
  | 'STORE_SEALED'
  /** The records are deleted and unreadable, but their bytes may still be in files. */
  | 'STORE_NOT_SCRUBBED'
  | 'STORE_CLOSED';

export function storeError(code: StoreErrorCode, message: string, cause?: unknown): CodedError {
  return new CodedError(code, message, cause === undefined ? {} : { cause });
}
