/**
 * Whether an embedded file takes writes.
 *
 *  FILE-1  A write that the disk refused makes the file unhealthy until a write of the size of a message succeeds: a small
 *          one may still fit where the next answer does not.
 *  FILE-2  While nothing fails, asking writes nothing: an idle server leaves its disk alone.
 *  FILE-3  A file that was deleted or replaced is unhealthy, although SQLite goes on writing into the one that it opened:
 *          a restart would find nothing of that.
 */
import { type Stats, statSync } from 'node:fs';
import { access, constants, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '../../errors.ts';

export interface FileHealth {
  /** A transaction failed; anything but a refusal of the disk or the lock is ignored. */
  failed(cause: unknown): void;
  /** Null where the file takes writes, else the reason in words for an operator. */
  trouble(): Promise<string | null>;
}

export interface FileHealthPorts {
  /** Null for a database in memory. */
  readonly file: string | null;
  /** Writes as much as a message needs, commits, and leaves nothing behind. Rejects where the file takes no writes. */
  readonly probe: () => Promise<unknown>;
}

/** Less free space than this holds no answer, nor the log beside the file. */
const FREE_BYTES_LEAST = 262_144;
const REFUSALS = /^SQLITE_(FULL|READONLY|IOERR|CANTOPEN|BUSY|LOCKED|CORRUPT|NOTADB)/;

export function watchFile({ file, probe }: FileHealthPorts): FileHealth {
  const opened = file === null ? null : statSync(file);
  let hasFailed = false;

  return {
    failed(cause) {
      if (REFUSALS.test(codeOf(cause))) hasFailed = true;
    },
    async trouble() {
      const found = file === null || opened === null ? null : await troubleOnDisk(file, opened);
      if (found !== null) return found;
      if (!hasFailed) return null;
      try {
        await probe();
        hasFailed = false;
        return null;
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    },
  };
}

async function troubleOnDisk(file: string, opened: Stats): Promise<string | null> {
  const now = await stat(file).catch(() => null);
  if (now === null) return `${file} was deleted while it was open`;
  if (now.ino !== opened.ino || now.dev !== opened.dev) return `${file} was replaced while it was open`;
  const folder = path.dirname(file);
  const free = await freeBytes(folder);
  if (free !== null && free < FREE_BYTES_LEAST)
    return `the disk of ${folder} is full: ${free} bytes are free`;
  // Not EACCES: what was opened before stays writable.
  const isReadOnly = await access(file, constants.W_OK).then(
    () => false,
    (error: unknown) => codeOf(error) === 'EROFS',
  );
  return isReadOnly ? `${folder} is on a read-only file system` : null;
}

/** Null where the file system does not say. */
async function freeBytes(folder: string): Promise<number | null> {
  const found = await statfs(folder).catch(() => null);
  if (found === null || found.blocks === 0) return null;
  const isRoot = process.getuid?.() === 0;
  return (isRoot ? found.bfree : found.bavail) * found.bsize;
}
