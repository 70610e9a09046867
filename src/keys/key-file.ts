/**
 * Creates and changes key files.
 *
 *  DATAKEYS-1  A reader finds the former file or the next one, whole: the next one is on disk before it takes the name.
 *  DATAKEYS-2  One process changes a file at a time: it creates the next file first, and fails if that exists.
 *  DATAKEYS-3  A change keeps owner and mode. The operator may be root, and the service must still read the file.
 */
import { createSecretKey, randomBytes, randomInt } from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  futimesSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { codeOf } from '../errors.ts';
import { type DataKey, type ParsedKeys, readKeyFile } from '../sealing/keys.ts';
import { startFailure } from '../startup/start-failure.ts';

const KEY_BYTES = 32;
const OWNER_ONLY = 0o600;
const SUFFIX_CHARS = 4;
const SUFFIX = 'abcdefghjkmnpqrstuvwxyz23456789';

/**
 * The id names the day, in UTC. The suffix keeps ids apart that two machines make on one day, or that follow a retired key
 * of the same day: a text must never name another key by the same id.
 */
export function freshKey(now: Date): DataKey {
  const suffix = Array.from({ length: SUFFIX_CHARS }, () => SUFFIX[randomInt(SUFFIX.length)]).join('');
  const id = `${now.toISOString().slice(0, 10)}-${suffix}`;
  return { id, secret: createSecretKey(randomBytes(KEY_BYTES)) };
}

/** Throws if the file exists. */
export function createKeyFile(file: string, key: DataKey): void {
  try {
    writeNew(file, [key]);
  } catch (cause) {
    if (codeOf(cause) === 'EEXIST')
      throw startFailure(`${file} exists; use rotate to add a key to it`, cause);
    throw cause;
  }
  syncFolderOf(file);
}

/** Throws if the file cannot be used. */
export function keysIn(file: string): readonly DataKey[] {
  const read = readKeyFile(file);
  return keysOrThrow(file, read);
}

/** The time at which another key became the first one, or the file appeared. */
export function rotatedAtMs(file: string): number {
  return statSync(file).mtimeMs;
}

export interface Change {
  readonly change: (keys: readonly DataKey[]) => readonly DataKey[];
  /** `keep`: the first key stays, so the time of the last rotation does too. */
  readonly time: 'keep' | 'now';
}

/** Throws if another process changes the file. */
export function changeKeyFile(given: string, { change, time }: Change): void {
  // A link stays a link.
  const file = realpathSync(given);
  const next = `${file}.next`;
  const former = statSync(file);
  const descriptor = claim(next); // DATAKEYS-2
  try {
    try {
      const keys = change(keysIn(file));
      writeKeys(descriptor, keys);
      fchmodSync(descriptor, former.mode & 0o777);
      fchownSync(descriptor, former.uid, former.gid); // DATAKEYS-3
      if (time === 'keep') futimesSync(descriptor, former.atime, former.mtime);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(next, file); // DATAKEYS-1
  } catch (cause) {
    rmSync(next, { force: true });
    throw cause;
  }
  syncFolderOf(file);
}

function claim(next: string): number {
  try {
    return openSync(next, 'wx', OWNER_ONLY);
  } catch (cause) {
    if (codeOf(cause) !== 'EEXIST') throw cause;
    throw startFailure(`${next} exists: another run changes the keys; if none does, delete that file`, cause);
  }
}

function writeNew(file: string, keys: readonly DataKey[]): void {
  const descriptor = openSync(file, 'wx', OWNER_ONLY);
  try {
    writeKeys(descriptor, keys);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function writeKeys(descriptor: number, keys: readonly DataKey[]): void {
  const lines = keys.map(({ id, secret }) => `${id}:${secret.export().toString('base64')}\n`);
  writeSync(descriptor, lines.join(''));
}

function keysOrThrow(file: string, read: ParsedKeys): readonly DataKey[] {
  if (read.kind === 'wrong') throw startFailure(`${file} ${read.why}`);
  return read.value;
}

/** A new name survives a power cut only if its folder is on disk too. */
function syncFolderOf(file: string): void {
  const folder = openSync(path.dirname(path.resolve(file)), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
