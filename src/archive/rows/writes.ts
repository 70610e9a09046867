/**
 * Everything that changes the archive, as plain functions on a transaction.
 *
 *  W1  A life of a session has one row, whoever stores it how often; the last one told is the one that stays.
 *  W2  A row keeps its number when it is stored again: a cursor that stands on it stays valid.
 *  W3  Deletion begins with the session's row: who stores the same session at that moment waits for it, or is
 *      waited for, and no line is left without its session.
 */
import type { Kysely, Transaction } from 'kysely';
import type { ArchivedSession } from '../archive.ts';
import { noteErasure } from '../database/purge.ts';
import type { Tables } from '../database/tables.ts';
import { noteErased } from '../erased.ts';
import type { FieldCipher } from '../field-cipher.ts';
import { sessionsAt } from './reads.ts';
import { rowNumberOf } from './row-number.ts';
import { lineRows, sessionRow, storable, turnRows } from './rows.ts';

const ROWS_PER_INSERT = 200;
const RETIRED_PER_TRANSACTION = 200;
const PLACE_ATTEMPTS_MAX = 200;

type Tx = Transaction<Tables>;

export async function store(tx: Tx, ink: FieldCipher, session: ArchivedSession): Promise<void> {
  const n = await upsert(tx, ink, session);
  for (const rows of batches(lineRows(n, session, ink))) {
    await tx.insertInto('archived_lines').values(rows).execute();
  }
  for (const rows of batches(turnRows(n, session))) {
    await tx.insertInto('archived_turns').values(rows).execute();
  }
}

/** The number of the session's row, whose lines and turns of before are gone. */
async function upsert(tx: Tx, ink: FieldCipher, session: ArchivedSession): Promise<number> {
  const row = sessionRow(session, ink);
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
    return changed.n;
  }
  throw new Error(`no number left for a session that began at ${session.createdAt}`);
}

export async function eraseSession(tx: Tx, sessionId: string, until: number): Promise<number> {
  await noteErased(tx, 'session', sessionId, until);
  const gone = await tx
    .deleteFrom('archived_sessions')
    .where('session_id', '=', storable(sessionId))
    .returning('n')
    .execute();
  if (gone.length > 0) await noteErasure(tx);
  return gone.length;
}

/**
 * Deletes the user's sessions, and what the user wrote into those of others: there the lines stay, without their
 * words and their author, because the conversation is somebody else's.
 */
export async function eraseUser(
  tx: Tx,
  ink: FieldCipher,
  userId: string,
  until: number,
): Promise<readonly string[]> {
  await noteErased(tx, 'user', userId, until);
  const user = storable(userId);
  const gone = await tx
    .deleteFrom('archived_sessions')
    .where('user_id', '=', user)
    .returning('session_id')
    .execute();
  const shared = await tx
    .selectFrom('archived_lines')
    .select('n')
    .distinct()
    .where('author', '=', user)
    .execute();
  for (const session of await sessionsAt(
    tx,
    ink,
    shared.map(({ n }) => n),
  )) {
    const lines = session.lines.map((line) =>
      line.author === user ? { ...line, author: null, content: '' } : line,
    );
    await store(tx, ink, { ...session, lines });
  }
  if (gone.length > 0 || shared.length > 0) await noteErasure(tx);
  return [...new Set(gone.map((row) => row.session_id))];
}

/** In small transactions, so that nobody waits long behind a year of conversations. */
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
