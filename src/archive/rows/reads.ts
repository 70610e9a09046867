/** Reads whole sessions. */
import type { Kysely } from 'kysely';
import type { ArchivedSession } from '../archive.ts';
import type { Tables } from '../database/tables.ts';
import type { FieldCipher } from '../field-cipher.ts';
import { headOf, lineOf, storable, turnOf } from './rows.ts';

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
    const lines = db.selectFrom('archived_lines').selectAll().where('n', '=', n).orderBy('place');
    const turns = db.selectFrom('archived_turns').selectAll().where('n', '=', n).orderBy('place');
    sessions.push({
      ...headOf(row),
      patient: JSON.parse(cipher.read(row, 'patient', row.patient)) as ArchivedSession['patient'],
      lines: (await lines.execute()).map((line) => lineOf(line, row, cipher)),
      turns: (await turns.execute()).map(turnOf),
    });
  }
  return sessions;
}
