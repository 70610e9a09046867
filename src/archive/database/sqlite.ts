/**
 * Keeps the archive in a file beside the embedded store's.
 *
 *  ARCHIVE-FILE-1  A file has one connection per process. libsql blocks the thread while it waits for a lock, so a second
 *                  connection would wait for a transaction of the first that cannot go on.
 *  ARCHIVE-FILE-2  `:memory:` is a new database per open; all opens of `:memory:name` share one.
 *  ARCHIVE-FILE-3  A purge rewrites the whole file in a thread of its own. The archive's callers wait meanwhile, the event
 *                  loop does not.
 *  ARCHIVE-FILE-4  Only BEGIN IMMEDIATE takes the write lock, run by `exec` with retries; every write is in a transaction.
 *                  A prepared statement that finds the file locked stays "in progress" in libsql and makes every later
 *                  COMMIT of the connection fail.
 *
 * FTS5 keeps words as separators between its pages, in spite of secure_delete, so a purge rebuilds the full-text index
 * before it rewrites the file.
 */
import path from 'node:path';
import { type Dialect, Kysely, SqliteDialect, sql } from 'kysely';
import Database from 'libsql';
import { sleep } from '../../clock.ts';
import { isBusy, watchFile } from '../../store/embedded/file-health.ts';
import { folderFailure, makeFolder } from '../../store/embedded/folder.ts';
import { rewriteFile } from '../../store/embedded/rewrite-file.ts';
import type { OpenDatabase, SqlDialect } from './engine.ts';
import { notPurged } from './failure.ts';
import type { Tables } from './tables.ts';

const LOCK_WAIT_MS = 5_000;
const BEGIN_WITHIN_MS = 5_000;
const LOCK_RETRY_MS = 25;
/** About the size of a conversation. */
const PROBE = 'x'.repeat(65_536);
const WAL_RETRY_MS = 10;

const DIALECT: SqlDialect = {
  whole: 'integer',
  fullText: [
    // `ascii` leaves other characters as they are: the words are final (`search-words.ts`).
    `CREATE VIRTUAL TABLE archived_words USING fts5 (words, content='archived_sessions', content_rowid='n',
      detail='none', columnsize=0, tokenize='ascii')`,
    `INSERT INTO archived_words (archived_words, rank) VALUES ('secure-delete', 1)`,
    `CREATE TRIGGER archived_words_added AFTER INSERT ON archived_sessions BEGIN
      INSERT INTO archived_words (rowid, words) VALUES (new.n, new.words);
    END`,
    `CREATE TRIGGER archived_words_gone AFTER DELETE ON archived_sessions BEGIN
      INSERT INTO archived_words (archived_words, rowid, words) VALUES ('delete', old.n, old.words);
    END`,
    `CREATE TRIGGER archived_words_changed AFTER UPDATE OF words ON archived_sessions
      WHEN old.words <> new.words BEGIN
      INSERT INTO archived_words (archived_words, rowid, words) VALUES ('delete', old.n, old.words);
      INSERT INTO archived_words (rowid, words) VALUES (new.n, new.words);
    END`,
  ],
  matching: (sets) => {
    const any = sets.map((words) => `(${words.map((word) => `"${word}"`).join(' AND ')})`).join(' OR ');
    const numbers = sql<{
      n: number;
    }>`(SELECT rowid AS n FROM archived_words WHERE archived_words MATCH ${any})`;
    return { kind: 'joined', found: numbers.as('found') };
  },
};

const open = new Map<string, { readonly engine: OpenDatabase; handles: number }>();

export function archiveFileIn(dataDir: string): string {
  return path.resolve(dataDir, 'archive.db');
}

export function openSqlite(dataDir: string): OpenDatabase {
  const inMemory = dataDir.startsWith(':memory:');
  const name = inMemory ? dataDir : archiveFileIn(dataDir);
  const isShared = name !== ':memory:';
  const known = isShared ? open.get(name) : undefined;
  if (known !== undefined) {
    known.handles += 1;
    return known.engine;
  }
  const raw = inMemory ? connect(':memory:') : connectIn(path.dirname(name), name);
  const db = new Kysely<Tables>({ dialect: dialectOf(raw) });
  const probe = () =>
    db.transaction().execute(async (tx) => {
      await tx.insertInto('archive_erased').values({ who: PROBE, until: 0 }).execute();
      await tx.deleteFrom('archive_erased').where('who', '=', PROBE).execute();
    });
  const engine: OpenDatabase = {
    kind: 'sqlite',
    db,
    dialect: DIALECT,
    ...watchFile({ file: inMemory ? null : name, probe }),
    // From here on transactions wait for locks without blocking the event loop.
    migrated: () => void raw.pragma('busy_timeout = 0'),
    // One connection runs one transaction at a time.
    async keepErasuresOut() {},
    purge: () => (inMemory ? Promise.resolve() : db.connection().execute(() => purgeFile(name))),
    async tidy() {
      await sql`PRAGMA wal_checkpoint(TRUNCATE)`.execute(db);
    },
    async close() {
      entry.handles -= 1;
      if (entry.handles > 0) return;
      if (isShared) open.delete(name);
      await db.destroy();
      if (raw.open) raw.close();
    },
  };
  const entry = { engine, handles: 1 };
  if (isShared) open.set(name, entry);
  return engine;
}

function connectIn(folder: string, file: string): Database.Database {
  makeFolder(folder);
  try {
    return connect(file);
  } catch (cause) {
    throw isBusy(cause) ? cause : folderFailure(folder, cause);
  }
}

function connect(file: string): Database.Database {
  const raw = new Database(file, { timeout: LOCK_WAIT_MS });
  switchToWal(raw);
  raw.pragma('synchronous = NORMAL');
  raw.pragma('secure_delete = ON');
  raw.pragma('temp_store = MEMORY');
  raw.pragma('foreign_keys = ON');
  return raw;
}

/** If two processes switch one new file to WAL, SQLite refuses one of them without waiting for the lock. */
function switchToWal(raw: Database.Database): void {
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  for (let waitedMs = 0; ; waitedMs += WAL_RETRY_MS) {
    try {
      raw.pragma('journal_mode = WAL');
      return;
    } catch (cause) {
      if (!isBusy(cause) || waitedMs >= LOCK_WAIT_MS) throw cause;
      Atomics.wait(sleeper, 0, 0, WAL_RETRY_MS);
    }
  }
}

/** After some failures (disk full) SQLite has already rolled back; a second ROLLBACK would hide the first error. */
function rollback(raw: Database.Database): void {
  if (raw.inTransaction) raw.exec('ROLLBACK');
}

async function begin(raw: Database.Database): Promise<void> {
  const deadlineMs = performance.now() + BEGIN_WITHIN_MS;
  for (;;) {
    try {
      rollback(raw);
      raw.exec('BEGIN IMMEDIATE');
      return;
    } catch (cause) {
      if (!isBusy(cause) || performance.now() > deadlineMs) throw cause;
      await sleep(LOCK_RETRY_MS);
    }
  }
}

/** kysely's dialect for better-sqlite3, whose interface libsql shares, with two changes. */
function dialectOf(raw: Database.Database): Dialect {
  const own = new SqliteDialect({ database: raw });
  return {
    createQueryCompiler: () => own.createQueryCompiler(),
    createIntrospector: (db) => own.createIntrospector(db),
    createAdapter: () => {
      // Otherwise kysely runs DDL outside a transaction, and a process killed halfway leaves half a schema.
      return Object.defineProperty(own.createAdapter(), 'supportsTransactionalDdl', { value: true });
    },
    createDriver: () => {
      return Object.assign(own.createDriver(), {
        beginTransaction: () => begin(raw),
        rollbackTransaction: async () => rollback(raw),
      });
    },
  };
}

async function purgeFile(file: string): Promise<void> {
  try {
    await rewriteFile(file, "INSERT INTO archived_words (archived_words) VALUES ('rebuild')");
  } catch (cause) {
    throw notPurged('the file could not be rewritten', cause);
  }
}
