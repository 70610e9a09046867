/**
 * Retire deletes keys from a key file. What is sealed with a deleted key is lost, in the deployment and in every backup.
 *
 *  RETIRE-1  A key stays while the store or the archive holds one text that it seals, or a session that cannot be read.
 *  RETIRE-2  The first key stays: instances seal with it. A key stays until every instance has read the file after the
 *            last rotation, because an instance that has not may still seal with the former first key.
 *  RETIRE-3  The store and the archive are those of the service that uses the file: the environment names the file too.
 *            A key of the file opens a text there, else the same file may serve a deployment that this run does not see.
 */
import { realpathSync } from 'node:fs';
import type { Config } from '../config/config.ts';
import { READ_EVERY_MS } from '../sealing/file-ring.ts';
import { changeKeyFile, keysIn, rotatedAtMs } from './key-file.ts';
import { count, inWords, type Say } from './verify.ts';

/** By then each instance has read the file, with or without a signal, and sealed what it was sealing. */
const KNOWN_AFTER_MS = 2 * READ_EVERY_MS;

export type Retired =
  | { readonly kind: 'retired'; readonly ids: readonly string[] }
  | { readonly kind: 'refused'; readonly why: string };

export interface RetireOptions {
  readonly file: string;
  /** Null: every key that seals nothing. */
  readonly ids: readonly string[] | null;
  /** The operator vouches for a deployment in which nothing is stored. */
  readonly althoughEmpty: boolean;
  readonly config: Config;
  readonly now: () => number;
  readonly say: Say;
}

export async function retire(options: RetireOptions): Promise<Retired> {
  const { file, ids, althoughEmpty, config, now, say } = options;
  const [first, ...others] = keysIn(file).map(({ id }) => id);
  const refused = (why: string): Retired => ({ kind: 'refused', why });
  const { keysFile } = config.sealing;
  if (keysFile === null || realpathSync(keysFile) !== realpathSync(file))
    return refused(`DATA_KEYS_FILE does not name ${file}: run this in the environment of the service`); // RETIRE-3
  const unknown = ids?.find((id) => id !== first && !others.includes(id));
  if (unknown !== undefined) return refused(`${file} has no key ${unknown}`);
  if (first !== undefined && ids?.includes(first) === true)
    return refused(`${first} is the first key, which encrypts: rotate before you retire it`); // RETIRE-2
  if (now() - rotatedAtMs(file) < KNOWN_AFTER_MS)
    return refused(
      `${file} has changed within two minutes, and instances may not have read it yet: try again later`,
    );
  let unreadable = 0;
  const { sealed, plain, opened } = await count(config, say, ({ why }) => {
    if (why === 'unreadable') unreadable += 1;
  });
  if (unreadable > 0) return refused(`${unreadable} sessions cannot be read; verify names them`); // RETIRE-1
  for (const id of ids ?? others) {
    const counts = sealed.get(id);
    if (counts !== undefined) say(`${id} still seals ${inWords(counts)}`);
  }
  const unused = (ids ?? others).filter((id) => !sealed.has(id));
  if (ids !== null && unused.length < ids.length)
    return refused(
      'the keys stay. Sessions end, the archive deletes after its retention, and then nothing needs a former key',
    );
  const isEmpty = sealed.size + plain.store + plain.archive === 0;
  if (unused.length > 0 && opened === 0 && !(althoughEmpty && isEmpty)) {
    const hint = isEmpty ? ' If nothing is stored there yet, add --although-empty' : '';
    return refused(
      `nothing in the store or the archive is sealed with a key of ${file}: is this the environment of the service?${hint}`,
    ); // RETIRE-3
  }
  if (unused.length > 0)
    changeKeyFile(file, {
      time: 'keep',
      change: (keys) => keys.filter(({ id }, index) => index === 0 || !unused.includes(id)),
    });
  return { kind: 'retired', ids: unused };
}
