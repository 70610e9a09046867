import { CodedError, codeOf } from '../../errors.ts';

/** Maps what the databases report to the archive's error codes. `cause` keeps the driver's error. */
export type ArchiveErrorCode =
  | 'ARCHIVE_UNAVAILABLE'
  | 'ARCHIVE_CLOSED'
  | 'ARCHIVE_BAD_CURSOR'
  /** No key of this instance opens the stored text. */
  | 'ARCHIVE_SEALED'
  | 'ARCHIVE_NOT_SCRUBBED';

const OWN = /^ARCHIVE_/;

export function archiveError(code: ArchiveErrorCode, words: string, cause?: unknown): Error {
  return new CodedError(code, `archive: ${words}`, cause === undefined ? {} : { cause });
}

export function archiveFailure(cause: unknown): Error {
  if (cause instanceof Error && OWN.test(codeOf(cause))) return cause;
  return archiveError('ARCHIVE_UNAVAILABLE', cause instanceof Error ? cause.message : String(cause), cause);
}

/** The rows are deleted and unreadable, but their bytes are still in the files. */
export function notPurged(reason: string, cause?: unknown): Error {
  const words = `rows are deleted, but their bytes remain: ${reason}; the next erasure or start tries again`;
  return archiveError('ARCHIVE_NOT_SCRUBBED', words, cause);
}
