/**
 * Creates the tables of the embedded store and migrates older files.
 *
 *  - `sessions.wake_at` is the deadline index: the time of the session's next sweep. It is never later than `due_at`,
 *    except while one sweeper has the session to itself (`hidden_until`).
 *  - `sessions.snapshot` is null between the first claim and the first commit: such a row is no session yet.
 *  - `expires_at` limits an uncommitted claim: after it, the row counts as absent and a sweep deletes it. A committed
 *    session has no limit; the store ignores the value of an earlier version.
 *  - A trigger deletes the history of a session with its row: an earlier version does not know the table, and a later session
 *    may get the row’s number.
 *  - `sessions.state`, `user_id` and `created_at` are the index of a session. Triggers count sessions in `states`, because
 *    counting a hundred thousand rows would block the process.
 */
import type Database from 'libsql';

const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE sessions (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    bucket INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    token TEXT,
    instance TEXT NOT NULL,
    lease_until INTEGER NOT NULL,
    version INTEGER NOT NULL,
    write_id TEXT,
    head INTEGER NOT NULL,
    snapshot TEXT,
    due_at INTEGER,
    wake_at INTEGER,
    hidden_until INTEGER NOT NULL,
    inbox_length INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
  );
  CREATE INDEX sessions_wake ON sessions (bucket, wake_at) WHERE wake_at IS NOT NULL;
  CREATE INDEX sessions_expiry ON sessions (bucket, expires_at);
  CREATE TABLE frames (
    session INTEGER NOT NULL, "offset" INTEGER NOT NULL, data TEXT NOT NULL, aux TEXT,
    PRIMARY KEY (session, "offset")
  ) WITHOUT ROWID;
  CREATE TABLE messages (
    session INTEGER NOT NULL, id TEXT NOT NULL,
    PRIMARY KEY (session, id)
  ) WITHOUT ROWID;
  CREATE TABLE transcript (n INTEGER PRIMARY KEY, session INTEGER NOT NULL, entry TEXT NOT NULL);
  CREATE INDEX transcript_session ON transcript (session, n);
  CREATE TABLE inbox (n INTEGER PRIMARY KEY, session INTEGER NOT NULL, entry TEXT NOT NULL);
  CREATE INDEX inbox_session ON inbox (session, n);
  `,
  `
  ALTER TABLE sessions ADD COLUMN state TEXT;
  ALTER TABLE sessions ADD COLUMN user_id TEXT;
  ALTER TABLE sessions ADD COLUMN created_at INTEGER;
  CREATE INDEX sessions_listed ON sessions (created_at, id) WHERE state IS NOT NULL;
  CREATE INDEX sessions_by_state ON sessions (state, created_at, id) WHERE state IS NOT NULL;
  CREATE INDEX sessions_by_user ON sessions (user_id, created_at, id) WHERE user_id IS NOT NULL;
  CREATE TABLE states (state TEXT PRIMARY KEY, sessions INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TRIGGER session_restated AFTER UPDATE OF state ON sessions WHEN OLD.state IS NOT NEW.state BEGIN
    INSERT OR IGNORE INTO states (state, sessions) SELECT NEW.state, 0 WHERE NEW.state IS NOT NULL;
    UPDATE states SET sessions = sessions + 1 WHERE state = NEW.state;
    UPDATE states SET sessions = sessions - 1 WHERE state = OLD.state;
  END;
  CREATE TRIGGER session_forgotten AFTER DELETE ON sessions WHEN OLD.state IS NOT NULL BEGIN
    UPDATE states SET sessions = sessions - 1 WHERE state = OLD.state;
  END;
  UPDATE sessions SET
    state = COALESCE(
      CASE json_type(snapshot, '$.value')
        WHEN 'object' THEN (SELECT key FROM json_each(snapshot, '$.value'))
        ELSE json_extract(snapshot, '$.value') END,
      'unknown'),
    user_id = json_extract(snapshot, '$.context.userId'),
    created_at = COALESCE(json_extract(snapshot, '$.context.createdAt'), 0)
  WHERE version > 0 AND json_valid(snapshot);
  `,
];

/** What an earlier version ignores needs no new schema version: its files still open there. */
const ADDITIONS = `
  CREATE TABLE IF NOT EXISTS tallies (name TEXT PRIMARY KEY, total INTEGER NOT NULL, expires_at INTEGER NOT NULL)
    WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS tallies_expiry ON tallies (expires_at);
  CREATE TABLE IF NOT EXISTS history (
    session INTEGER NOT NULL, version INTEGER NOT NULL, record TEXT NOT NULL,
    PRIMARY KEY (session, version)
  ) WITHOUT ROWID;
  CREATE TRIGGER IF NOT EXISTS history_forgotten AFTER DELETE ON sessions BEGIN
    DELETE FROM history WHERE session = OLD.n;
  END;
`;

const SCHEMA_VERSION = MIGRATIONS.length;

/** The tables besides `sessions` with rows of a session; the end of a session deletes from them all. */
export const CHILD_TABLES = ['frames', 'messages', 'transcript', 'inbox'] as const;

export function migrate(db: Database.Database, name: string): void {
  const { version } = db.prepare('SELECT user_version AS version FROM pragma_user_version').get() as {
    readonly version: number;
  };
  if (version > SCHEMA_VERSION) {
    throw new Error(`${name} is from a newer Rehydra (schema ${version}, this one knows ${SCHEMA_VERSION})`);
  }
  for (const [index, migration] of MIGRATIONS.entries()) {
    if (index < version) continue;
    // One transaction for a migration and its number: a process that dies halfway leaves the old schema whole.
    db.exec(`BEGIN IMMEDIATE; ${migration} PRAGMA user_version = ${index + 1}; COMMIT;`);
  }
  db.exec(ADDITIONS);
}
