/**
 * Keeps a tombstone of each erasure, a digest and a date, for `KEPT_MS`. An erased conversation may arrive late: its owner
 * was frozen while it archived, or the user wrote in another user's session that is still alive.
 *
 *  TOMBSTONE-1  The archive stores no life of an erased session that began by the date, no session of an erased user that
 *               began by it, and no text that this user wrote by it in another user's session.
 *  TOMBSTONE-2  An erasure writes its tombstone first, and `store` reads tombstones only while no erasure writes one
 *               (`Engine.keepErasuresOut`). So `store` sees the tombstone, or the erasure sees the stored rows.
 */
import { createHash } from 'node:crypto';
import type { Transaction } from 'kysely';
import type { ArchivedLine, ArchivedSession } from './archive.ts';
import type { Tables } from './database/tables.ts';

type Tx = Transaction<Tables>;
type Kind = 'session' | 'user';

/** Longer than any process stays frozen and any session lives. */
const KEPT_MS = 30 * 86_400_000;

export async function addTombstone(tx: Tx, kind: Kind, id: string, until: number): Promise<void> {
  await tx
    .insertInto('archive_erased')
    .values({ who: digest(kind, id), until: Math.ceil(until) })
    .onConflict((conflict) =>
      conflict
        .column('who')
        .doUpdateSet({ until: Math.ceil(until) })
        .where('archive_erased.until', '<', Math.ceil(until)),
    )
    .execute();
}

export async function dropOldTombstones(tx: Tx, now: number): Promise<void> {
  await tx
    .deleteFrom('archive_erased')
    .where('until', '<', Math.floor(now - KEPT_MS))
    .execute();
}

/** The session without its erased parts; null if the whole session is erased. */
export async function withoutErased(tx: Tx, session: ArchivedSession): Promise<ArchivedSession | null> {
  const { sessionId, userId, createdAt, lines } = session;
  const authors = new Set(lines.flatMap(({ author }) => (author === null ? [] : [author])));
  const whole = [digest('session', sessionId), ...(userId === null ? [] : [digest('user', userId)])];
  const notes = await tx
    .selectFrom('archive_erased')
    .selectAll()
    .where('who', 'in', [...whole, ...[...authors].map((author) => digest('user', author))])
    .execute();
  if (notes.length === 0) return session;
  const until = new Map(notes.map((note) => [note.who, note.until]));
  const isErased = (who: string, at: number) => at <= (until.get(who) ?? Number.NEGATIVE_INFINITY);
  if (whole.some((who) => isErased(who, createdAt))) return null;
  const isErasedLine = ({ author, at }: ArchivedLine) =>
    author !== null && isErased(digest('user', author), at);
  return {
    ...session,
    lines: lines.map((line) => (isErasedLine(line) ? { ...line, author: null, content: '' } : line)),
  };
}

function digest(kind: Kind, id: string): string {
  return createHash('sha256').update(`${kind} ${id}`).digest('hex');
}
