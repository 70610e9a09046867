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
import path from 'node:path';
import Database from 'libsql';
import { sleep } from '../../clock.ts';
import { CodedError } from '../../errors.ts';
import { type FileHealth, watchFile } from '../embedded/file-health.ts';
import { folderFailure, makeFolder } from '../embedded/folder.ts';
import { sharedPurge } from '../purge.ts';
import { isBusy, storeFailure } from './failure.ts';
import { type Group, groupCommit } from './group.ts';
import { createHints, type Hints } from './hints.ts';
import { migrate } from './migrations.ts';
import { purgeFile } from './purge.ts';
import { prepare, type Sql } from './sql.ts';

export interface Shared {
  readonly name: string;
  readonly inMemory: boolean;
  readonly db: Database.Database;
  readonly sql: Sql;
  readonly group: Group;
  readonly hints: Hints;
  readonly health: FileHealth;
  scrub(): Promise<void>;
  release(): void;
}

/** Another process may be about to let go of the folder: a server that restarts meets its predecessor. */
const FOLDER_WAIT_MS = 2_000;
/** Another process may lock the file when we open it; each try blocks this process no longer than one wait. */
const OPEN_WITHIN_MS = 10_000;
const OPEN_WAIT_MS = 20;
const OPEN_RETRY_MS = 50;
const PROBE = 'x'.repeat(65_536);

const open = new Map<string, { readonly shared: Shared; handles: number }>();

/** As `openDatabase`, but waits where another process locks the file, for a while. */
export async function openDatabaseSoon(dataDir: string): Promise<Shared> {
  const deadlineMs = performance.now() + OPEN_WITHIN_MS;
  for (;;) {
    try {
      return openDatabase(dataDir);
    } catch (error) {
      const isLocked = error instanceof Error && isBusy(error.cause);
      if (!isLocked || performance.now() > deadlineMs) throw error;
      await sleep(OPEN_RETRY_MS);
    }
  }
}

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
  const db = connect(inMemory ? ':memory:' : name, unlock);
  const sql = prepare(db);
  const health = watchFile({ file: inMemory ? null : name, probe: () => group.run(() => sql.probe(PROBE)) });
  const group = groupCommit(db, health.failed);
  const entry = {
    handles: 1,
    shared: {
      name,
      inMemory,
      db,
      sql,
      group,
      hints: createHints(),
      health,
      scrub: sharedPurge(async () => {
        if (!inMemory) await group.alone(() => purgeFile(name));
      }),
      release(): void {
        entry.handles -= 1;
        if (entry.handles > 0) return;
        if (isShared) open.delete(name);
        group.close();
        emptyLog(db);
        db.close();
        unlock();
      },
    },
  };
  if (isShared) open.set(name, entry);
  return entry.shared;
}

/** What is in the log is safe where it is: a file that is full or locked must not keep the process from ending. */
function emptyLog(db: Database.Database): void {
  try {
    db.pragma('wal_checkpoint(TRUNCATE)');
  } catch {}
}

function connect(file: string, unlock: () => void): Database.Database {
  let db: Database.Database | null = null;
  try {
    db = new Database(file, { timeout: OPEN_WAIT_MS });
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = NORMAL');
    // What is deleted is overwritten; pages that were split keep copies even so, which a scrub gets rid of.
    db.pragma('secure_delete = ON');
    migrate(db, file);
    // From here on the group waits for locks, without blocking the event loop.
    db.pragma('busy_timeout = 0');
    return db;
  } catch (cause) {
    db?.close();
    unlock();
    throw storeFailure(cause);
  }
}

/**
 * Holds the folder for this process until the returned function is called, or the process dies: the kernel lets go.
 * The lock is a transaction on a file of its own, because libsql keeps the lock of a database that it closed until
 * its statements are collected, and a store that was closed must open again at once.
 */
function lockFolder(folder: string): () => void {
  makeFolder(folder);
  let lock: Database.Database | null = null;
  try {
    lock = new Database(path.join(folder, 'rehydra.lock'), { timeout: FOLDER_WAIT_MS });
    lock.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    lock?.close();
    throw refusalOf(folder, cause);
  }
  const held = lock;
  return () => {
    held.exec('ROLLBACK');
    held.close();
  };
}

function refusalOf(folder: string, cause: unknown): Error {
  if (!isBusy(cause)) return folderFailure(folder, cause);
  const words = `${folder} is in use by another process; the embedded store serves one process, Redis serves many`;
  // Without the cause: a busy one stands for a database that is worth waiting for, and a taken folder is not.
  return new CodedError('STORE_UNAVAILABLE', words);
}
