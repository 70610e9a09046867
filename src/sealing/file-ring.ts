/**
 * FileRing keeps the keys of a file that an operator rotates while the service runs.
 *
 *  FILERING-1  A file that cannot be read or used changes nothing: the former keys stay, and `report` gets the reason,
 *              which quotes nothing of the file.
 *  FILERING-2  An instance that has not reloaded yet reads the file once more for a text with an unknown key. Otherwise it
 *              would refuse the sessions of an instance that has. It does so once a second at most: an attacker who can
 *              write to the store could make it read the file for every text.
 *  FILERING-3  An instance that missed SIGHUP reads the file after READ_EVERY_MS at the latest. Otherwise it would seal with
 *              a key that the operator has retired since.
 */
import { startInterval, systemClock } from '../clock.ts';
import { fixedRing, type KeyRing } from './key-ring.ts';
import { type DataKey, readKeyFile } from './keys.ts';

export type KeysRead =
  | { readonly kind: 'changed'; readonly ids: readonly string[] }
  | { readonly kind: 'kept'; readonly why: string };

export interface KeySource {
  readonly keys: readonly DataKey[];
  /** The file that holds them; null if they never change. */
  readonly keysFile: string | null;
}

const LOOK_AGAIN_MS = 1_000;
export const READ_EVERY_MS = 60_000;

/** FILERING-3. The returned function ends it. */
export function keepReading(ring: KeyRing): () => void {
  return startInterval(READ_EVERY_MS, () => void ring.reload(), { background: true }).cancel;
}

export function openRing(
  { keys, keysFile }: KeySource,
  report: (read: KeysRead) => void = () => {},
  nowMs: () => number = systemClock.monotonicMs,
): KeyRing {
  return keysFile === null ? fixedRing(keys) : fileRing(keysFile, keys, report, nowMs);
}

function fileRing(
  path: string,
  first: readonly DataKey[],
  report: (read: KeysRead) => void,
  nowMs: () => number,
): KeyRing {
  let keys = first;
  let lookedMs = Number.NEGATIVE_INFINITY;

  function read(): void {
    const found = readKeyFile(path);
    if (found.kind === 'wrong') return report({ kind: 'kept', why: `${path} ${found.why}` }); // FILERING-1
    if (isSame(keys, found.value)) return;
    keys = found.value;
    report({ kind: 'changed', ids: keys.map(({ id }) => id) });
  }

  return {
    current: () => keys,
    finds(id) {
      const now = nowMs();
      if (now - lookedMs < LOOK_AGAIN_MS) return false; // FILERING-2
      lookedMs = now;
      read();
      return keys.some((key) => key.id === id);
    },
    async reload() {
      read();
    },
  };
}

function isSame(some: readonly DataKey[], others: readonly DataKey[]): boolean {
  return (
    some.length === others.length &&
    some.every(({ id, secret }, index) => {
      const other = others[index];
      return other?.id === id && other.secret.equals(secret);
    })
  );
}
