/**
 * Makes the folder of the embedded files.
 *
 * Not with `recursive: true`: under a folder that takes no entries (`/proc`), Node's own walk never ends, and the process
 * takes no signal meanwhile.
 */
import { mkdirSync, type Stats, statSync } from 'node:fs';
import path from 'node:path';
import { CodedError, codeOf } from '../../errors.ts';

const OWNER_ONLY = 0o700;

/** Throws one line that an operator understands, where the folder cannot be had. */
export function makeFolder(folder: string): void {
  try {
    make(path.resolve(folder));
  } catch (cause) {
    throw folderFailure(folder, cause);
  }
}

/** The same words for every embedded file, whichever of them cannot be opened first. */
export function folderFailure(folder: string, cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const words = `DATA_DIR ${folder} cannot be used: ${reason}`;
  return new CodedError('STORE_UNAVAILABLE', words, { cause });
}

function make(folder: string): void {
  if (isFolder(folder)) return;
  const parent = path.dirname(folder);
  if (parent !== folder) make(parent);
  try {
    mkdirSync(folder, { mode: OWNER_ONLY });
  } catch (cause) {
    // Another process made it meanwhile.
    if (!isFolder(folder)) throw cause;
  }
}

function isFolder(folder: string): boolean {
  const found = statOf(folder);
  if (found !== null && !found.isDirectory()) throw new Error(`${folder} is not a folder`);
  return found !== null;
}

/** Null also below a file: the walk goes up and names that file. */
function statOf(folder: string): Stats | null {
  try {
    return statSync(folder);
  } catch (cause) {
    const code = codeOf(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw cause;
  }
}
