import { CodedError, codeOf } from '../../errors.ts';

/** What went wrong below us, in the archive's words. The driver's error stays behind as `cause`. */
export type ArchiveErrorCode =
  | 'ARCHIVE_UNAVAILABLE'
  | 'ARCHIVE_CLOSED'
  | 'ARCHIVE_BAD_CURSOR'
  /** It is there, and no key of this instance opens it. */
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

/** The rows are deleted and nobody can read them any more; their bytes are still in the files. */
export function notScrubbed(reason: string, cause?: unknown): Error {
  const words = `rows are deleted, but their bytes remain: ${reason}; the next erasure or start tries again`;
  return archiveError('ARCHIVE_NOT_SCRUBBED', words, cause);
}
