/**
 * Changes the archive; each function runs on a transaction.
 *
 *  ROW-1  A life of a session has one row, however often instances store it; the last write stays.
 *  ROW-2  A row keeps its number when it is stored again, so a cursor on it stays valid.
 *  ROW-3  Deletion begins with the session's row. A concurrent `store` of the session waits for it, or the other way round,
 *         so no line is left without its session.
 */
import type { Kysely, Transaction } from 'kysely';
import type { ArchivedHistory, ArchivedSession } from '../archive.ts';
import { notePurge } from '../database/purge.ts';
import type { Tables } from '../database/tables.ts';
import type { FieldCipher } from '../field-cipher.ts';
import { addTombstone } from '../tombstones.ts';
import { sessionsAt } from './reads.ts';
import { rowNumberOf } from './row-number.ts';
import { lineRows, sessionRow, storable, turnRows } from './rows.ts';

const ROWS_PER_INSERT = 200;
const RETIRED_PER_TRANSACTION = 200;
const PLACE_ATTEMPTS_MAX = 200;

type Tx = Transaction<Tables>;
/** Runs before the deletion is committed. */
type Found = () => Promise<void>;

export async function store(
  tx: Tx,
  cipher: FieldCipher,
  session: ArchivedSession,
  history: ArchivedHistory | null = null,
): Promise<void> {
  const n = await upsert(tx, cipher, session, history);
  const named = (history?.users ?? []).map((user) => ({ n, user_id: storable(user) }));
  for (const rows of batches(named)) await tx.insertInto('archived_named').values(rows).execute();
  for (const rows of batches(lineRows(n, session, cipher))) {
    await tx.insertInto('archived_lines').values(rows).execute();
  }
  for (const rows of batches(turnRows(n, session))) {
    await tx.insertInto('archived_turns').values(rows).execute();
  }
}

/** Writes the session's row, deletes its former lines and turns, and returns its number. */
async function upsert(
  tx: Tx,
  cipher: FieldCipher,
  session: ArchivedSession,
  history: ArchivedHistory | null,
): Promise<number> {
  const row = sessionRow(session, cipher, history);
  for (let attempt = 0; attempt < PLACE_ATTEMPTS_MAX; attempt += 1) {
    const added = await tx
      .insertInto('archived_sessions')
      .values({ ...row, n: rowNumberOf(session.createdAt, attempt) })
      .onConflict((conflict) => conflict.doNothing())
      .returning('n')
      .executeTakeFirst();
    if (added !== undefined) return added.n;
    const changed = await tx
      .updateTable('archived_sessions')
      .set(row)
      .where('session_id', '=', row.session_id)
      .where('created_at', '=', row.created_at)
      .returning('n')
      .executeTakeFirst();
    if (changed === undefined) continue; // Another session has that number.
    await tx.deleteFrom('archived_lines').where('n', '=', changed.n).execute();
    await tx.deleteFrom('archived_turns').where('n', '=', changed.n).execute();
    await tx.deleteFrom('archived_named').where('n', '=', changed.n).execute();
    return changed.n;
  }
  throw new Error(`no number left for a session that began at ${session.createdAt}`);
}

export async function eraseSession(
  tx: Tx,
  tenant: string,
  sessionId: string,
  until: number,
  found: Found,
): Promise<number> {
  await addTombstone(tx, { kind: 'session', tenant, id: sessionId }, until);
  const gone = await tx
    .deleteFrom('archived_sessions')
    .where('session_id', '=', storable(sessionId))
    .where('tenant', '=', tenant)
    .returning('n')
    .execute();
  if (gone.length > 0) await Promise.all([notePurge(tx), found()]);
  return gone.length;
}

/** Deletes the user's sessions. In sessions of other users of the tenant it blanks the user's lines, text and author, and
 * deletes histories that name the user. */
export async function eraseUser(
  tx: Tx,
  cipher: FieldCipher,
  tenant: string,
  userId: string,
  until: number,
  found: Found,
): Promise<readonly string[]> {
  await addTombstone(tx, { kind: 'user', tenant, id: userId }, until);
  const user = storable(userId);
  const gone = await tx
    .deleteFrom('archived_sessions')
    .where('user_id', '=', user)
    .where('tenant', '=', tenant)
    .returning('session_id')
    .execute();
  const shared = await tx
    .selectFrom('archived_lines as l')
    .innerJoin('archived_sessions as s', 's.n', 'l.n')
    .select('l.n')
    .distinct()
    .where('l.author', '=', user)
    .where('s.tenant', '=', tenant)
    .execute();
  const named = await tx
    .selectFrom('archived_named as p')
    .innerJoin('archived_sessions as s', 's.n', 'p.n')
    .select('p.n')
    .where('p.user_id', '=', user)
    .where('s.tenant', '=', tenant)
    .execute();
  for (const { n } of named) {
    await tx.updateTable('archived_sessions').set({ history: null }).where('n', '=', n).execute();
    await tx.deleteFrom('archived_named').where('n', '=', n).execute();
  }
  for (const session of await sessionsAt(tx, cipher, shared)) {
    const lines = session.lines.map((line) =>
      line.author === user ? { ...line, author: null, content: '' } : line,
    );
    await store(tx, cipher, { ...session, lines });
  }
  if (gone.length > 0 || shared.length > 0 || named.length > 0) await Promise.all([notePurge(tx), found()]);
  return [...new Set(gone.map((row) => row.session_id))];
}

/** Runs small transactions, so that other writers never wait behind a year of conversations. */
export async function retire(db: Kysely<Tables>, before: number): Promise<number> {
  for (let retired = 0; ; ) {
    const { numDeletedRows } = await db.transaction().execute((tx) =>
      tx
        .deleteFrom('archived_sessions')
        .where('n', 'in', (old) =>
          old
            .selectFrom('archived_sessions')
            .select('n')
            .where('ended_at', '<', Math.ceil(before))
            .orderBy('ended_at')
            .limit(RETIRED_PER_TRANSACTION),
        )
        .executeTakeFirstOrThrow(),
    );
    if (numDeletedRows === 0n) return retired;
    retired += Number(numDeletedRows);
  }
}

function* batches<Row>(rows: readonly Row[]): Generator<readonly Row[]> {
  for (let start = 0; start < rows.length; start += ROWS_PER_INSERT) {
    yield rows.slice(start, start + ROWS_PER_INSERT);
  }
}
