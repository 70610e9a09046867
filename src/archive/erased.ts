/**
 * What was erased is noted, because a conversation may come late: its owner was frozen with it in its hands, or it was
 * somebody else's and lives on. A note is a digest and a date, and goes after `KEPT_MS`.
 *
 *  E1  Of an erased session, no life that had begun by then is stored. Of an erased user, no session of theirs that had
 *      begun by then, and no words that they had written by then into a session of somebody else.
 *  E2  A note is the first thing that an erasure writes, and who stores looks only once none is being written
 *      (`Engine.keepErasuresOut`): either the notes are seen, or what was stored is there to be deleted.
 */
import { createHash } from 'node:crypto';
import type { Transaction } from 'kysely';
import type { ArchivedLine, ArchivedSession } from './archive.ts';
import type { Tables } from './database/tables.ts';

type Tx = Transaction<Tables>;
type Kind = 'session' | 'user';

/** Longer than a process is frozen, and than a session lives. */
const KEPT_MS = 30 * 86_400_000;

export async function noteErased(tx: Tx, kind: Kind, id: string, until: number): Promise<void> {
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

export async function forgetErased(tx: Tx, now: number): Promise<void> {
  await tx
    .deleteFrom('archive_erased')
    .where('until', '<', Math.floor(now - KEPT_MS))
    .execute();
}

/** What may be stored of the session; null where nothing may. */
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
