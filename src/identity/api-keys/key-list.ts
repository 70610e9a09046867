/**
 * KeyList changes the file of API keys.
 *
 *  KEYLIST-1  A service that reads the file meanwhile sees the old list or the new one, whole.
 *  KEYLIST-2  Two operators who change the list together: the second one is refused, and no change is lost.
 *  KEYLIST-3  Only the file's owner can read it.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { codeOf } from '../../errors.ts';
import { startFailure } from '../../startup/start-failure.ts';
import { type ApiKeyEntry, parseApiKeys } from './api-key.ts';

type Keys = readonly ApiKeyEntry[];

/** Throws a start failure if the file cannot be used. A file that does not exist has no keys. */
export function readKeys(file: string): Keys {
  if (!existsSync(file)) return [];
  const parsed = parseApiKeys(readFileSync(file, 'utf8'));
  if (parsed.kind === 'wrong') throw startFailure(`${file} ${parsed.why}`);
  return parsed.content;
}

/** Throws a start failure if the file cannot be changed, and whatever `change` throws. */
export function changeKeys(file: string, change: (keys: Keys) => Keys): void {
  const path = existsSync(file) ? realpathSync(file) : file;
  const next = `${path}.new`;
  const handle = openNext(next); // KEYLIST-2
  try {
    try {
      writeSync(handle, `${JSON.stringify(change(readKeys(path)), null, 2)}\n`);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(next, path); // KEYLIST-1
  } catch (error) {
    rmSync(next, { force: true });
    throw error;
  }
}

function openNext(next: string): number {
  try {
    return openSync(next, 'wx', 0o600); // KEYLIST-3
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    throw startFailure(
      `${next} exists: another call is changing the keys, or was killed; delete it in that case`,
      error,
    );
  }
}
