/**
 * One database per path and process, shared by every handle that is opened on it.
 *
 *  I1  One connection per file: hints and group commit only work between handles that share it. The folder is
 *      locked, so a second process is told so at once instead of silently missing every hint.
 *  I2  `:memory:` is a new database per open; `:memory:name` is shared by all who say the same name.
 *  I3  The last handle to close closes the file.
 *
 * WAL with synchronous=NORMAL: a process may be killed at any moment and loses nothing it acknowledged; a power
 * cut may lose the last moments, but never tears a transaction.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import Database from 'libsql';
import { sharedScrub } from '../scrubbing.ts';
import { storeFailure } from './failure.ts';
import { type Group, groupCommit } from './group.ts';
import { createHints, type Hints } from './hints.ts';
import { migrate } from './schema.ts';
import { scrubFile } from './scrub.ts';
import { prepare, type Sql } from './sql.ts';

export interface Shared {
  readonly name: string;
  readonly inMemory: boolean;
  readonly db: Database.Database;
  readonly sql: Sql;
  readonly group: Group;
  readonly hints: Hints;
  scrub(): Promise<void>;
  release(): void;
}

const LOCK_WAIT_MS = 2_000;
const open = new Map<string, { readonly shared: Shared; handles: number }>();

export function openDatabase(dataDir: string): Shared {
  const inMemory = dataDir.startsWith(':memory:');
  const name = inMemory ? dataDir : path.resolve(dataDir, 'rehydra.db');
  const isShared = name !== ':memory:';
  const known = isShared ? open.get(name) : undefined;
  if (known !== undefined) {
    known.handles += 1;
    return known.shared;
  }

  const unlock = inMemory ? () => {} : lockFolder(path.dirname(name));
  const db = connect(inMemory ? ':memory:' : name);
  const group = groupCommit(db);
  const entry = {
    handles: 1,
    shared: {
      name,
      inMemory,
      db,
      sql: prepare(db),
      group,
      hints: createHints(),
      scrub: sharedScrub(async () => {
        if (!inMemory) await group.alone(() => scrubFile(name));
      }),
      release(): void {
        entry.handles -= 1;
        if (entry.handles > 0) return;
        if (isShared) open.delete(name);
        group.close();
        db.pragma('wal_checkpoint(TRUNCATE)');
        db.close();
        unlock();
      },
    },
  };
  if (isShared) open.set(name, entry);
  return entry.shared;
}

function connect(file: string): Database.Database {
  try {
    const db = new Database(file, { timeout: LOCK_WAIT_MS });
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = NORMAL');
    // What is deleted is overwritten; pages that were split keep copies even so, which a scrub gets rid of.
    db.pragma('secure_delete = ON');
    migrate(db, file);
    return db;
  } catch (cause) {
    throw storeFailure(cause);
  }
}

/**
 * Holds the folder for this process until the returned function is called, or the process dies: the kernel lets go.
 * The lock is a transaction on a file of its own, because libsql keeps the lock of a database that it closed until
 * its statements are collected, and a store that was closed must open again at once.
 */
function lockFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const lock = new Database(path.join(folder, 'rehydra.lock'), { timeout: LOCK_WAIT_MS });
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    lock.close();
    const words = `${folder} is in use by another process; the embedded store serves one process, Redis serves many`;
    throw Object.assign(new Error(words, { cause }), { code: 'STORE_UNAVAILABLE' });
  }
  return () => {
    lock.exec('ROLLBACK');
    lock.close();
  };
}
