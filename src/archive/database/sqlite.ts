/**
 * The embedded archive: one file beside the embedded store's.
 *
 *  Q1  One connection per file and process. libsql waits for a lock by blocking the thread, so a second connection
 *      would wait for a transaction of the first that can only end once the waiting is over.
 *  Q2  `:memory:` is a new database per open; `:memory:name` is shared by all who say the same name.
 *  Q3  A scrub reads and writes the whole file, so it runs in a thread of its own while this connection stands by:
 *      the archive's callers wait, the event loop does not.
 *  Q4  The write lock is taken by BEGIN IMMEDIATE, run by `exec` and tried again for a while; nothing writes outside of a
 *      transaction. A prepared statement that finds the file locked stays "in progress" in libsql, and every later COMMIT
 *      of the connection fails because of it.
 *
 * Deleted bytes stay in three places in spite of secure_delete: pages that were split keep copies in their unused
 * middle, FTS5 keeps words as separators between its pages, and the write-ahead log keeps everything. So a scrub
 * builds the full-text index anew, rewrites the file, and empties the log.
 */
import { createRequire } from 'node:module';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Dialect, Kysely, SqliteDialect, sql } from 'kysely';
import Database from 'libsql';
import { sleep } from '../../clock.ts';
import { codeOf } from '../../errors.ts';
import { watchFile } from '../../store/embedded/file-health.ts';
import { folderFailure, makeFolder } from '../../store/embedded/folder.ts';
import type { OpenDatabase, Spelling } from './engine.ts';
import { notScrubbed } from './failure.ts';
import type { Tables } from './tables.ts';

const LOCK_WAIT_MS = 5_000;
const BEGIN_WITHIN_MS = 5_000;
const LOCK_RETRY_MS = 25;
/** As much as a conversation needs. */
const PROBE = 'x'.repeat(65_536);
const WAL_RETRY_MS = 10;

const SPELLING: Spelling = {
  whole: 'integer',
  fullText: [
    // `ascii` leaves every other character alone: the words come finished (`words.ts`).
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

const SCRUB = `
  const { workerData } = require('node:worker_threads');
  const Database = require(workerData.driver);
  const db = new Database(workerData.file, { timeout: workerData.lockWaitMs });
  db.pragma('secure_delete = ON');
  db.pragma('temp_store = MEMORY');
  db.exec("INSERT INTO archived_words (archived_words) VALUES ('rebuild')");
  db.exec('VACUUM');
  const [{ busy }] = db.pragma('wal_checkpoint(TRUNCATE)');
  db.close();
  if (busy !== 0) throw new Error('another process is reading the file');
`;

const open = new Map<string, { readonly engine: OpenDatabase; handles: number }>();

export function openSqlite(dataDir: string): OpenDatabase {
  const inMemory = dataDir.startsWith(':memory:');
  const name = inMemory ? dataDir : path.resolve(dataDir, 'archive.db');
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
    spelling: SPELLING,
    ...watchFile({ file: inMemory ? null : name, probe }),
    // From here on transactions wait for locks, without blocking the event loop.
    migrated: () => void raw.pragma('busy_timeout = 0'),
    // There is one transaction at a time.
    async keepErasuresOut() {},
    scrub: () => (inMemory ? Promise.resolve() : db.connection().execute(() => scrubFile(name))),
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
  turnToWal(raw);
  raw.pragma('synchronous = NORMAL');
  raw.pragma('secure_delete = ON');
  raw.pragma('temp_store = MEMORY');
  raw.pragma('foreign_keys = ON');
  return raw;
}

/** Two processes that turn one new file to WAL block each other: SQLite refuses one at once, without its lock wait. */
function turnToWal(raw: Database.Database): void {
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

/** After some failures (disk full) SQLite has rolled back already; a second ROLLBACK would hide the first error. */
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

function isBusy(cause: unknown): boolean {
  return codeOf(cause).startsWith('SQLITE_BUSY');
}

/** kysely's own dialect for better-sqlite3, whose interface libsql has, but for two things. */
function dialectOf(raw: Database.Database): Dialect {
  const own = new SqliteDialect({ database: raw });
  return {
    createQueryCompiler: () => own.createQueryCompiler(),
    createIntrospector: (db) => own.createIntrospector(db),
    createAdapter: () => {
      // kysely thinks of SQLite's DDL as not transactional, and a process killed halfway would leave half a schema.
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

async function scrubFile(file: string): Promise<void> {
  const driver = createRequire(import.meta.url).resolve('libsql');
  const workerData = { driver, file, lockWaitMs: LOCK_WAIT_MS };
  // Without the flags of this process: a loader of ours, or --input-type=module, is not for these lines.
  const worker = new Worker(SCRUB, { eval: true, execArgv: [], workerData });
  await new Promise<void>((resolve, reject) => {
    worker.once('error', (cause) => reject(notScrubbed('the file could not be rewritten', cause)));
    worker.once('exit', () => resolve());
  });
}
