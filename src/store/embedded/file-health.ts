/**
 * Tells whether an embedded file takes writes.
 *
 *  FILE-1  After a refused write the file is unhealthy until a write of a message's size succeeds: a smaller one may fit
 *          where the next answer does not.
 *  FILE-2  Without a failed write, a health check writes nothing: an idle server leaves its disk alone.
 *  FILE-3  A deleted or replaced file is unhealthy. SQLite goes on writing into the file that it opened, and a restart
 *          would not find those writes.
 */
import { type Stats, statSync } from 'node:fs';
import { access, constants, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '../../errors.ts';

export interface FileHealth {
  /** Reports a failed transaction; only a refusal of the disk or the lock counts. */
  failed(cause: unknown): void;
  /** Null if the file takes writes, else the reason for an operator. */
  trouble(): Promise<string | null>;
}

export interface FileHealthPorts {
  /** Null for an in-memory database. */
  readonly file: string | null;
  /** Writes and removes as much as a message needs, or rejects. */
  readonly probe: () => Promise<unknown>;
}

/** Less free space than this fits neither an answer nor the write-ahead log. */
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
  // Not EACCES: the open file stays writable.
  const isReadOnly = await access(file, constants.W_OK).then(
    () => false,
    (error: unknown) => codeOf(error) === 'EROFS',
  );
  return isReadOnly ? `${folder} is on a read-only file system` : null;
}

/** Null if the file system does not report it. */
async function freeBytes(folder: string): Promise<number | null> {
  const found = await statfs(folder).catch(() => null);
  if (found === null || found.blocks === 0) return null;
  const isRoot = process.getuid?.() === 0;
  return (isRoot ? found.bfree : found.bavail) * found.bsize;
}

/** Another process locks the file. */
export function isBusy(cause: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(codeOf(cause));
}
