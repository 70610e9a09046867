/** Prepares every statement of the embedded store; only `migrations.ts` has other SQL. */
import type Database from 'libsql';
import { CHILD_TABLES } from './migrations.ts';

/** A session's row without its snapshot, which most operations do not need. */
export interface SessionRow {
  readonly n: number;
  readonly id: string;
  readonly epoch: number;
  readonly token: string | null;
  readonly instance: string;
  readonly leaseUntil: number;
  /** 0 between the first claim and the first commit. */
  readonly version: number;
  readonly writeId: string | null;
  readonly head: number;
  readonly dueAt: number | null;
  readonly wakeAt: number | null;
  readonly hiddenUntil: number;
  readonly inboxLength: number;
  readonly expiresAt: number;
  /** These three are null before the first commit. */
  readonly state: string | null;
  readonly userId: string | null;
  readonly createdAt: number | null;
}

export interface FrameRow {
  readonly offset: number;
  readonly data: string;
  readonly aux: string | null;
}

/** `expires_at` of a committed session. */
const NEVER = Number.MAX_SAFE_INTEGER;

const ROW = `n, id, epoch, token, instance, lease_until AS leaseUntil, version, write_id AS writeId, head,
  due_at AS dueAt, wake_at AS wakeAt, hidden_until AS hiddenUntil, inbox_length AS inboxLength,
  expires_at AS expiresAt, state, user_id AS userId, created_at AS createdAt`;

const page = (condition: string) => `SELECT id, created_at AS createdAt FROM sessions
  WHERE ${condition} AND (created_at, id) > (?, ?) ORDER BY created_at, id LIMIT ?`;

/** A page of a listing; each query walks one index from the end of the page before. */
export const PAGES = {
  all: page('state IS NOT NULL'),
  ofState: page('state = ?'),
  ofUser: page('user_id = ?'),
  // A user has few sessions, a state has many: the plus keeps the planner off the index by state.
  ofUserInState: page('user_id = ? AND +state = ?'),
} as const;

export const COUNT_OF_USER = `SELECT COUNT(*) AS sessions FROM
  (SELECT 1 FROM sessions WHERE user_id = ? LIMIT ?)`;

export interface ListedRow {
  readonly id: string;
  readonly createdAt: number;
}

export type Sql = ReturnType<typeof prepare>;

export function prepare(db: Database.Database) {
  const one = <Row>(text: string) => {
    const statement = db.prepare(text);
    return (...values: readonly unknown[]) => statement.get(...values) as Row | undefined;
  };
  const many = <Row>(text: string) => {
    const statement = db.prepare(text);
    return (...values: readonly unknown[]) => statement.all(...values) as readonly Row[];
  };
  const run = (text: string) => {
    const statement = db.prepare(text);
    return (...values: readonly unknown[]): number => statement.run(...values).changes;
  };
  const forgetSession = run('DELETE FROM sessions WHERE n = ?');
  const probeInbox = run('INSERT INTO inbox (session, entry) VALUES (-1, ?)');
  const forgetChildren = CHILD_TABLES.map((table) => run(`DELETE FROM ${table} WHERE session = ?`));

  return {
    session: one<SessionRow>(`SELECT ${ROW} FROM sessions WHERE id = ?`),
    snapshot: one<{ readonly snapshot: string | null }>('SELECT snapshot FROM sessions WHERE n = ?'),
    create: run(`INSERT INTO sessions (id, bucket, epoch, token, instance, lease_until, version, head,
      hidden_until, inbox_length, expires_at) VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0, 0, ?)`),
    take: run('UPDATE sessions SET epoch = ?, token = ?, instance = ?, lease_until = ? WHERE n = ?'),
    commit:
      run(`UPDATE sessions SET version = ?, write_id = ?, head = ?, snapshot = ?, due_at = ?, wake_at = ?,
      inbox_length = ?, lease_until = ?, expires_at = ${NEVER} WHERE n = ?`),
    relist: run('UPDATE sessions SET state = ?, user_id = ?, created_at = ? WHERE n = ?'),
    append: run('UPDATE sessions SET write_id = ?, head = ?, inbox_length = ?, lease_until = ? WHERE n = ?'),
    renew: run('UPDATE sessions SET lease_until = ? WHERE n = ?'),
    renewUncommitted: run('UPDATE sessions SET lease_until = ?, expires_at = ? WHERE n = ?'),
    release: run('UPDATE sessions SET token = ?, lease_until = 0 WHERE n = ?'),

    addFrame: run('INSERT INTO frames (session, "offset", data, aux) VALUES (?, ?, ?, ?)'),
    trimFrames: run('DELETE FROM frames WHERE session = ? AND "offset" <= ?'),
    framesAfter: many<FrameRow>(
      'SELECT "offset", data, aux FROM frames WHERE session = ? AND "offset" > ? ORDER BY "offset" LIMIT ?',
    ),
    firstOffset: one<{ readonly first: number | null }>(
      'SELECT MIN("offset") AS first FROM frames WHERE session = ?',
    ),

    hasMessage: one<{ readonly id: string }>('SELECT id FROM messages WHERE session = ? AND id = ?'),
    messages: many<{ readonly id: string }>('SELECT id FROM messages WHERE session = ?'),
    addMessage: run('INSERT OR IGNORE INTO messages (session, id) VALUES (?, ?)'),
    addTranscript: run('INSERT INTO transcript (session, entry) VALUES (?, ?)'),
    transcriptAfter: many<{ readonly n: number; readonly entry: string }>(
      'SELECT n, entry FROM transcript WHERE session = ? AND n > ? ORDER BY n LIMIT ?',
    ),
    transcript: many<{ readonly entry: string }>('SELECT entry FROM transcript WHERE session = ? ORDER BY n'),

    addInbox: run('INSERT INTO inbox (session, entry) VALUES (?, ?)'),
    countPushed: run('UPDATE sessions SET inbox_length = ?, wake_at = ? WHERE n = ?'),
    inbox: many<{ readonly entry: string }>('SELECT entry FROM inbox WHERE session = ? ORDER BY n'),
    takeInbox: run('DELETE FROM inbox WHERE n IN (SELECT n FROM inbox WHERE session = ? ORDER BY n LIMIT ?)'),

    addHistory: run('INSERT INTO history (session, version, record) VALUES (?, ?, ?)'),
    trimHistory: run('DELETE FROM history WHERE session = ? AND version <= ?'),
    history: many<{ readonly record: string }>(
      'SELECT record FROM history WHERE session = ? ORDER BY version',
    ),

    due: many<SessionRow>(
      `SELECT ${ROW} FROM sessions WHERE bucket = ? AND wake_at <= ? ORDER BY wake_at LIMIT ?`,
    ),
    nextWake: one<{ readonly nextAt: number | null }>(
      'SELECT MIN(wake_at) AS nextAt FROM sessions WHERE bucket = ? AND wake_at IS NOT NULL',
    ),
    wakeAt: run('UPDATE sessions SET wake_at = ?, hidden_until = ? WHERE n = ?'),
    abandoned: many<{ readonly n: number }>(
      'SELECT n FROM sessions WHERE bucket = ? AND expires_at <= ? AND version = 0 LIMIT ?',
    ),

    listed: {
      all: many<ListedRow>(PAGES.all),
      ofState: many<ListedRow>(PAGES.ofState),
      ofUser: many<ListedRow>(PAGES.ofUser),
      ofUserInState: many<ListedRow>(PAGES.ofUserInState),
    },
    counts: many<{ readonly state: string; readonly sessions: number }>(
      'SELECT state, sessions FROM states WHERE sessions > 0',
    ),
    countOfUser: one<{ readonly sessions: number }>(COUNT_OF_USER),

    // Notes wait in the inbox of no session, so that a file of this version still opens in an earlier one.
    notePurge: run(`INSERT INTO inbox (session, entry) VALUES (-2, '')`),
    purgeNotes: many<{ readonly n: number }>('SELECT n FROM inbox WHERE session = -2 LIMIT 1000'),
    settlePurge: run('DELETE FROM inbox WHERE n = ? AND session = -2'),
    tally: one<{ readonly total: number }>('SELECT total FROM tallies WHERE name = ? AND expires_at > ?'),
    addToTally: run(`INSERT INTO tallies (name, total, expires_at) VALUES (?, ?, ?) ON CONFLICT (name)
      DO UPDATE SET total = total + excluded.total, expires_at = excluded.expires_at`),
    forgetTallies: run('DELETE FROM tallies WHERE expires_at <= ?'),

    /** Writes as much as a message needs, then deletes it. */
    probe(text: string): void {
      db.exec('DELETE FROM inbox WHERE session = -1');
      probeInbox(text);
      db.exec('DELETE FROM inbox WHERE session = -1');
    },

    forget(n: number): void {
      for (const forgetIn of forgetChildren) forgetIn(n);
      forgetSession(n);
    },
  };
}
