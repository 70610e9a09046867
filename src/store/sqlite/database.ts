/**
 * Opens one database per path and process; every handle on the path shares it.
 *
 *  DATABASE-1  A file has one connection, because hints and group commit work only within it. A lock on the folder makes a
 *              second process fail at its start, instead of missing every hint. A process that only reads needs neither:
 *              it takes no lock, changes nothing, and does not migrate the file of the version that serves it.
 *  DATABASE-2  `:memory:` is a new database per open; all opens of `:memory:name` share one.
 *  DATABASE-3  The last handle to close closes the file.
 *
 * WAL with synchronous=NORMAL: a killed process loses nothing that it acknowledged. A power cut may lose the last moments
 * but never tears a transaction.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import Database from 'libsql';
import { sleep } from '../../clock.ts';
import { type FileHealth, isBusy, watchFile } from '../embedded/file-health.ts';
import { folderFailure, makeFolder } from '../embedded/folder.ts';
import { rewriteFile } from '../embedded/rewrite-file.ts';
import { storeError } from '../failure.ts';
import { sharedPurge } from '../purge.ts';
import { sqliteFailure } from './failure.ts';
import { type Group, groupCommit } from './group.ts';
import { createHints, type Hints } from './hints.ts';
import { migrate } from './migrations.ts';
import { prepare, type Sql } from './sql.ts';

export interface Shared {
  readonly name: string;
  readonly inMemory: boolean;
  readonly db: Database.Database;
  readonly sql: Sql;
  readonly group: Group;
  readonly hints: Hints;
  readonly health: FileHealth;
  purge(): Promise<void>;
  release(): void;
}

/** `read`: another process may serve the file meanwhile. */
export type DatabaseUse = 'serve' | 'read';

/** A restarted server may meet its predecessor, which is about to unlock the folder. */
const FOLDER_WAIT_MS = 2_000;
/** Another process may lock the file at the start; each attempt blocks this process for one wait at most. */
const OPEN_WITHIN_MS = 10_000;
const OPEN_WAIT_MS = 20;
const OPEN_RETRY_MS = 50;
const PROBE = 'x'.repeat(65_536);

const open = new Map<string, { readonly shared: Shared; handles: number }>();

/** Opens the database; waits for a while if another process locks the file. */
export async function openDatabaseSoon(dataDir: string, use: DatabaseUse): Promise<Shared> {
  const deadlineMs = performance.now() + OPEN_WITHIN_MS;
  for (;;) {
    try {
      return openDatabase(dataDir, use);
    } catch (error) {
      const isLocked = error instanceof Error && isBusy(error.cause);
      if (!isLocked || performance.now() > deadlineMs) throw error;
      await sleep(OPEN_RETRY_MS);
    }
  }
}

export function storeFileIn(dataDir: string): string {
  return path.resolve(dataDir, 'rehydra.db');
}

export function openDatabase(dataDir: string, use: DatabaseUse = 'serve'): Shared {
  const inMemory = dataDir.startsWith(':memory:');
  const name = inMemory ? dataDir : storeFileIn(dataDir);
  // A file that does not exist yet has to be created first.
  const onlyReads = use === 'read' && existsSync(name);
  const isShared = name !== ':memory:' && !onlyReads;
  const known = isShared ? open.get(name) : undefined;
  if (known !== undefined) {
    known.handles += 1;
    return known.shared;
  }

  const unlock = inMemory || onlyReads ? () => {} : lockFolder(path.dirname(name));
  const db = onlyReads ? connectReader(name) : connect(inMemory ? ':memory:' : name, unlock);
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
      purge: sharedPurge(async () => {
        const notes = await group.run(() => sql.purgeNotes());
        if (notes.length === 0) return;
        if (!inMemory) await group.alone(() => purgeFile(name));
        await group.run(() => {
          for (const { n } of notes) sql.settlePurge(n);
        });
      }),
      release(): void {
        entry.handles -= 1;
        if (entry.handles > 0) return;
        if (isShared) open.delete(name);
        group.close();
        if (!onlyReads) emptyLog(db);
        db.close();
        unlock();
      },
    },
  };
  if (isShared) open.set(name, entry);
  return entry.shared;
}

/** Ignores failures: the log is valid as it is, and a full or locked file must not keep the process from ending. */
function emptyLog(db: Database.Database): void {
  try {
    db.pragma('wal_checkpoint(TRUNCATE)');
  } catch {}
}

/** libsql ignores its option `readonly`. */
function connectReader(file: string): Database.Database {
  try {
    const db = new Database(file, { timeout: OPEN_WAIT_MS });
    db.pragma('query_only = ON');
    return db;
  } catch (cause) {
    throw sqliteFailure(cause);
  }
}

function connect(file: string, unlock: () => void): Database.Database {
  let db: Database.Database | null = null;
  try {
    db = new Database(file, { timeout: OPEN_WAIT_MS });
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = NORMAL');
    // Overwrites deleted bytes; only a purge removes their copies in pages that were split.
    db.pragma('secure_delete = ON');
    migrate(db, file);
    // From here on the group waits for locks without blocking the event loop.
    db.pragma('busy_timeout = 0');
    return db;
  } catch (cause) {
    db?.close();
    unlock();
    throw sqliteFailure(cause);
  }
}

/**
 * Locks the folder until the caller unlocks it or the process dies. The lock is a transaction on a file of its own: libsql
 * keeps a closed database locked until the garbage collector frees its statements, but a store must reopen immediately.
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
  // Without the cause: `openDatabaseSoon` would take it for a locked file and wait.
  return storeError('STORE_UNAVAILABLE', words);
}

async function purgeFile(file: string): Promise<void> {
  try {
    await rewriteFile(file);
  } catch (cause) {
    const words =
      'sqlite store: records are deleted, but their bytes remain: the file could not be rewritten';
    throw storeError('STORE_NOT_SCRUBBED', words, cause);
  }
}
