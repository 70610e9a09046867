/** Whole sessions, read back as they were stored. */
import type { Kysely } from 'kysely';
import type { ArchivedSession } from '../archive.ts';
import type { Tables } from '../database/tables.ts';
import type { FieldCipher } from '../field-cipher.ts';
import { headOf, lineOf, storable, turnOf } from './rows.ts';

export async function livesOf(
  db: Kysely<Tables>,
  ink: FieldCipher,
  sessionId: string,
): Promise<readonly ArchivedSession[]> {
  const rows = await db
    .selectFrom('archived_sessions')
    .select('n')
    .where('session_id', '=', storable(sessionId))
    .orderBy('created_at', 'desc')
    .execute();
  return sessionsAt(
    db,
    ink,
    rows.map(({ n }) => n),
  );
}

/** The sessions with these numbers, in this order. */
export async function sessionsAt(
  db: Kysely<Tables>,
  ink: FieldCipher,
  numbers: readonly number[],
): Promise<readonly ArchivedSession[]> {
  const sessions: ArchivedSession[] = [];
  for (const n of numbers) {
    const row = await db.selectFrom('archived_sessions').selectAll().where('n', '=', n).executeTakeFirst();
    if (row === undefined) continue;
    const lines = await db
      .selectFrom('archived_lines')
      .selectAll()
      .where('n', '=', n)
      .orderBy('place')
      .execute();
    const turns = await db
      .selectFrom('archived_turns')
      .selectAll()
      .where('n', '=', n)
      .orderBy('place')
      .execute();
    const patient = JSON.parse(ink.read(row, 'patient', row.patient)) as ArchivedSession['patient'];
    sessions.push({
      ...headOf(row),
      patient,
      lines: lines.map((line) => lineOf(line, row, ink)),
      turns: turns.map(turnOf),
    });
  }
  return sessions;
}
