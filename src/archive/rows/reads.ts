/** Reads whole sessions. */
import type { Kysely } from 'kysely';
import { nextTurn } from '../../clock.ts';
import type { ArchivedLine, ArchivedSession, StoredHistory } from '../archive.ts';
import type { SessionRow, Tables } from '../database/tables.ts';
import type { FieldCipher } from '../field-cipher.ts';
import { HISTORY, headOf, lineOf, storable, turnOf } from './rows.ts';

export async function livesOf(
  db: Kysely<Tables>,
  cipher: FieldCipher,
  tenant: string,
  sessionId: string,
): Promise<readonly ArchivedSession[]> {
  const lives = db
    .selectFrom('archived_sessions')
    .select('n')
    .where('session_id', '=', storable(sessionId))
    .where('tenant', '=', tenant);
  return sessionsAt(db, cipher, await lives.orderBy('created_at', 'desc').execute());
}

export async function historiesOf(
  db: Kysely<Tables>,
  cipher: FieldCipher,
  tenant: string,
  sessionId: string,
): Promise<readonly StoredHistory[]> {
  const rows = await db
    .selectFrom('archived_sessions')
    .select(['session_id', 'created_at', 'ended_at', 'user_id', 'history'])
    .where('session_id', '=', storable(sessionId))
    .where('tenant', '=', tenant)
    .orderBy('created_at', 'desc')
    .execute();
  return rows.flatMap((row) => {
    if (row.history === null) return [];
    const { created_at: createdAt, ended_at: endedAt, user_id: userId } = row;
    return { createdAt, endedAt, userId, text: cipher.read(row, HISTORY, row.history) };
  });
}

/** The sessions with these numbers, in this order. */
export async function sessionsAt(
  db: Kysely<Tables>,
  cipher: FieldCipher,
  numbers: readonly { readonly n: number }[],
): Promise<readonly ArchivedSession[]> {
  const sessions: ArchivedSession[] = [];
  for (const { n } of numbers) {
    const row = await db.selectFrom('archived_sessions').selectAll().where('n', '=', n).executeTakeFirst();
    if (row === undefined) continue;
    const turns = db.selectFrom('archived_turns').selectAll().where('n', '=', n).orderBy('place');
    sessions.push({
      ...headOf(row),
      patient: JSON.parse(cipher.read(row, 'patient', row.patient)) as ArchivedSession['patient'],
      lines: await linesOf(db, cipher, row),
      turns: (await turns.execute()).map(turnOf),
    });
  }
  return sessions;
}

/** Few, because they are read and decrypted within one turn of the event loop. */
const LINES_AT_ONCE = 32;

async function linesOf(
  db: Kysely<Tables>,
  cipher: FieldCipher,
  row: SessionRow,
): Promise<readonly ArchivedLine[]> {
  const lines: ArchivedLine[] = [];
  for (let after = -1; ; ) {
    const page = await db
      .selectFrom('archived_lines')
      .selectAll()
      .where('n', '=', row.n)
      .where('place', '>', after)
      .orderBy('place')
      .limit(LINES_AT_ONCE)
      .execute();
    for (const line of page) lines.push(lineOf(line, row, cipher));
    const last = page.at(-1);
    if (last === undefined || page.length < LINES_AT_ONCE) return lines;
    after = last.place;
    // The embedded database answers within the same turn, so without this a long conversation would hold the event loop.
    await nextTurn();
  }
}
