/**
 * Places names the store and the archive that an environment points to.
 *
 *  PLACES-1  An embedded file that does not exist is refused, not created. An operator who forgets or mistypes DATA_DIR
 *            would otherwise read an empty deployment, in which every key looks unused.
 */
import { existsSync } from 'node:fs';
import { archiveFileIn } from '../archive/database/sqlite.ts';
import type { Config } from '../config/config.ts';
import { startFailure, withoutPasswords } from '../startup/start-failure.ts';
import { folderIn } from '../store/open.ts';
import { storeFileIn } from '../store/sqlite/database.ts';

export interface Place {
  /** A file, or a URL without its password. */
  readonly name: string;
  /** Null: this program can read it. */
  readonly missing: string | null;
}

export interface Places {
  /** During a rollout there are two. */
  readonly stores: readonly Place[];
  readonly archive: Place;
}

export function placesOf({ store, archive }: Pick<Config, 'store' | 'archive'>): Places {
  const { redisUrl, dataDir, rollout } = store;
  const stores = [
    redisUrl === null ? embedded('DATA_DIR', dataDir, 'store', storeFileIn) : remote(redisUrl),
    ...(rollout === null ? [] : [rolledOut(rollout.url)]),
  ];
  const { databaseUrl } = archive;
  return {
    stores,
    archive:
      databaseUrl === null
        ? embedded('DATA_DIR', archive.dataDir, 'archive', archiveFileIn)
        : remote(databaseUrl),
  };
}

export function assertExists({ stores, archive }: Places): void {
  for (const { missing } of [...stores, archive]) if (missing !== null) throw startFailure(missing); // PLACES-1
}

function rolledOut(url: string): Place {
  const folder = folderIn(url);
  return folder === null ? remote(url) : embedded('STORE_ROLLOUT_URL', folder, 'store', storeFileIn);
}

function remote(url: string): Place {
  return { name: withoutPasswords(url), missing: null };
}

function embedded(
  setting: 'DATA_DIR' | 'STORE_ROLLOUT_URL',
  folder: string,
  what: 'store' | 'archive',
  fileIn: (folder: string) => string,
): Place {
  const value = `${setting}=${setting === 'DATA_DIR' ? '' : 'sqlite:'}${folder}`;
  if (folder.startsWith(':memory:')) {
    const why = `${value} keeps the ${what} in the memory of the service, where no other program reads it`;
    return { name: folder, missing: why };
  }
  const name = fileIn(folder);
  const why = `${value} has no ${what}, ${name} does not exist: is this the environment of the service?`;
  return { name, missing: existsSync(name) ? null : why };
}
