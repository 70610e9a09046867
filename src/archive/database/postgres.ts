/**
 * Keeps the archive in PostgreSQL, which all instances share.
 *
 *  POSTGRES-1  Personal columns have no statistics: ANALYZE would copy their values into pg_statistic, where no deletion
 *              finds them.
 *  POSTGRES-2  Only a rewrite of the table removes the bytes of deleted rows; a plain VACUUM frees their space. A rewrite
 *              copies rows that an older transaction may still see, so a purge waits for those transactions first.
 *
 * The write-ahead log keeps its own history (docs/adr/0008).
 */
import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { sleep } from '../../clock.ts';
import type { OpenDatabase, SqlDialect } from './engine.ts';
import { notPurged } from './failure.ts';
import type { Tables } from './tables.ts';

const CONNECTIONS_MAX = 8;
const CONNECT_WITHIN_MS = 5_000;
const CLOSE_WITHIN_MS = 1_000;
const OLDER_END_WITHIN_MS = 10_000;
const LOCK_WITHIN_MS = 600_000;
const POLL_MS = 50;
const IDLE_WITHIN_MS = 10_000;
/** The key of the advisory lock, an arbitrary number. */
const PURGE_LOCK = 5_317_008;

const PERSONAL = {
  archived_sessions: [
    'session_id',
    'client_id',
    'user_id',
    'diagnosis_id',
    'patient',
    'second_question',
    'words',
    'word_vector',
  ],
  archived_lines: ['author', 'content', 'turn_id'],
  archived_turns: ['turn_id'],
} as const;

const DIALECT: SqlDialect = {
  whole: 'bigint',
  fullText: [
    // Not to_tsvector: the words are final (`search-words.ts`), and its parser would take some for paths or numbers.
    `ALTER TABLE archived_sessions ADD COLUMN word_vector tsvector
      GENERATED ALWAYS AS (array_to_tsvector(string_to_array(words, ' '))) STORED`,
    'CREATE INDEX archived_sessions_words ON archived_sessions USING gin (word_vector)',
    ...Object.entries(PERSONAL).flatMap(([table, columns]) =>
      columns.map((column) => `ALTER TABLE ${table} ALTER COLUMN ${column} SET STATISTICS 0`),
    ),
  ],
  matching: (sets) => {
    const any = sets.map((words) => `(${words.map((word) => `'${word}'`).join(' & ')})`).join(' | ');
    return { kind: 'filtered', where: sql<boolean>`s.word_vector @@ ${any}::tsquery` };
  },
};

/** pg returns bigint and numeric as text; those of the archive stay below 2^53. */
const NUMBERS: ReadonlySet<number> = new Set([pg.types.builtins.INT8, pg.types.builtins.NUMERIC]);

export function openPostgres(databaseUrl: string): OpenDatabase {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: CONNECTIONS_MAX,
    connectionTimeoutMillis: CONNECT_WITHIN_MS,
    application_name: 'rehydra-archive',
    types: {
      getTypeParser: (id, format) => (NUMBERS.has(id) ? Number : pg.types.getTypeParser(id, format)),
    },
  });
  // The pool replaces a broken idle connection; without a listener its error would end the process.
  pool.on('error', () => {});
  // The same for a connection that breaks between two statements: the second statement then fails.
  pool.on('connect', (client) => client.on('error', () => {}));
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  return {
    kind: 'postgres',
    db,
    dialect: DIALECT,
    async keepErasuresOut(tx) {
      // A process that froze with the lock would block every erasure.
      await sql`SET LOCAL idle_in_transaction_session_timeout = ${sql.lit(IDLE_WITHIN_MS)}`.execute(tx);
      await sql`LOCK TABLE archive_erased IN SHARE MODE`.execute(tx);
    },
    purge: () =>
      db.connection().execute(async (connection) => {
        await takePurgeLock(connection);
        try {
          await olderTransactionsEnd(connection);
          await sql`VACUUM (FULL) archived_sessions, archived_lines, archived_turns`.execute(connection);
        } finally {
          await sql`SELECT pg_advisory_unlock(${PURGE_LOCK})`.execute(connection);
        }
      }),
    migrated() {},
    failed() {},
    async trouble() {
      // A standby, or a server whose operator stopped writes on a full disk.
      const { rows } = await sql<{ read_only: string }>`SELECT current_setting('transaction_read_only')
        AS read_only FROM (SELECT n FROM archived_sessions LIMIT 1) AS one RIGHT JOIN (SELECT 1) AS always ON true`.execute(
        db,
      );
      return rows[0]?.read_only === 'on' ? 'PostgreSQL is read-only' : null;
    },
    async tidy() {
      await sql`VACUUM archived_sessions, archived_lines, archived_turns`.execute(db);
    },
    // `destroy` waits for connections that hang.
    close: () => Promise.race([db.destroy(), sleep(CLOSE_WITHIN_MS)]),
  };
}

async function takePurgeLock(db: Kysely<Tables>): Promise<void> {
  await untilNull(LOCK_WITHIN_MS, async () => {
    const query = sql<{ mine: boolean }>`SELECT pg_try_advisory_lock(${PURGE_LOCK}) AS mine`;
    return (await query.execute(db)).rows[0]?.mine === true ? null : 'another instance is purging';
  });
}

async function olderTransactionsEnd(db: Kysely<Tables>): Promise<void> {
  const now = sql<{ next: string }>`SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS next`;
  const next = (await now.execute(db)).rows[0]?.next ?? '0';
  await untilNull(OLDER_END_WITHIN_MS, async () => {
    const older = sql<{ pid: number }>`SELECT pid FROM pg_stat_activity WHERE datname = current_database()
      AND pid <> pg_backend_pid() AND age(backend_xmin) > age(${next}::xid8::xid)`;
    const pids = (await older.execute(db)).rows.map(({ pid }) => pid).join(', ');
    return pids === '' ? null : `older transactions can still see them (pid ${pids})`;
  });
}

/** Polls, because a purge that waits inside a statement would be an older transaction for another purge. */
async function untilNull(withinMs: number, obstacle: () => Promise<string | null>): Promise<void> {
  const deadlineMs = performance.now() + withinMs;
  for (let found = await obstacle(); found !== null; found = await obstacle()) {
    if (performance.now() > deadlineMs) throw notPurged(found);
    await sleep(POLL_MS);
  }
}
