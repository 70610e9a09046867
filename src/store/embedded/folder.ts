/**
 * Makes the folder of the embedded files. `recursive: true` would never end under a folder that takes no entries (`/proc`),
 * and the process would ignore signals meanwhile.
 */
import { mkdirSync, type Stats, statSync } from 'node:fs';
import path from 'node:path';
import { codeOf } from '../../errors.ts';
import { storeError } from '../failure.ts';

const OWNER_ONLY = 0o700;

/** Throws one line for an operator if the folder cannot be used. */
export function makeFolder(folder: string): void {
  try {
    make(path.resolve(folder));
  } catch (cause) {
    throw folderFailure(folder, cause);
  }
}

/** One text for every embedded file, whichever fails first. */
export function folderFailure(folder: string, cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const words = `DATA_DIR ${folder} cannot be used: ${reason}`;
  return storeError('STORE_UNAVAILABLE', words, cause);
}

function make(folder: string): void {
  if (isFolder(folder)) return;
  const parent = path.dirname(folder);
  if (parent !== folder) make(parent);
  try {
    mkdirSync(folder, { mode: OWNER_ONLY });
  } catch (cause) {
    // Another process may have made it.
    if (!isFolder(folder)) throw cause;
  }
}

function isFolder(folder: string): boolean {
  const found = statOf(folder);
  if (found !== null && !found.isDirectory()) throw new Error(`${folder} is not a folder`);
  return found !== null;
}

/** Also null for a path below a file: `make` then goes up to that file and names it. */
function statOf(folder: string): Stats | null {
  try {
    return statSync(folder);
  } catch (cause) {
    const code = codeOf(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw cause;
  }
}
