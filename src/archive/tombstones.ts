/**
 * Keeps a tombstone of each erasure, a digest and a date, for `KEPT_MS`. An erased conversation may arrive late: its owner
 * was frozen while it archived, or the user wrote in another user's session that is still alive.
 *
 *  TOMBSTONE-1  The archive stores no life of an erased session that began by the date, no session of an erased user that
 *               began by it, and no text that this user wrote by it in another user's session. It stores no history of a
 *               session that began by the date and names this user.
 *  TOMBSTONE-2  An erasure writes its tombstone first, and `store` reads tombstones only while no erasure writes one
 *               (`Engine.keepErasuresOut`). So `store` sees the tombstone, or the erasure sees the stored rows.
 */
import { createHash } from 'node:crypto';
import type { Transaction } from 'kysely';
import { nameIn } from '../store/tenant-index.ts';
import type { ArchivedHistory, ArchivedLine, ArchivedSession } from './archive.ts';
import type { Tables } from './database/tables.ts';

type Tx = Transaction<Tables>;
type Kind = 'session' | 'user';

/** Longer than any process stays frozen and any session lives. */
const KEPT_MS = 30 * 86_400_000;

/** What is erased: a session or a user of a tenant. */
export interface Erased {
  readonly kind: Kind;
  readonly tenant: string;
  readonly id: string;
}

export async function addTombstone(tx: Tx, erased: Erased, until: number): Promise<void> {
  await tx
    .insertInto('archive_erased')
    .values({ who: digest(erased), until: Math.ceil(until) })
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
  const { sessionId, tenant, userId, createdAt, lines } = session;
  const userDigest = (id: string) => digest({ kind: 'user', tenant, id });
  const authors = new Set(lines.flatMap(({ author }) => (author === null ? [] : [author])));
  const ofSession = digest({ kind: 'session', tenant, id: sessionId });
  const whole = [ofSession, ...(userId === null ? [] : [userDigest(userId)])];
  const notes = await tx
    .selectFrom('archive_erased')
    .selectAll()
    .where('who', 'in', [...whole, ...[...authors].map(userDigest)])
    .execute();
  if (notes.length === 0) return session;
  const until = new Map(notes.map((note) => [note.who, note.until]));
  const isErased = (who: string, at: number) => at <= (until.get(who) ?? Number.NEGATIVE_INFINITY);
  if (whole.some((who) => isErased(who, createdAt))) return null;
  const isErasedLine = ({ author, at }: ArchivedLine) => author !== null && isErased(userDigest(author), at);
  return {
    ...session,
    lines: lines.map((line) => (isErasedLine(line) ? { ...line, author: null, content: '' } : line)),
  };
}

/** Null if the history names a user who was erased after the session began. */
export async function withoutErasedUsers(
  tx: Tx,
  { tenant, createdAt }: ArchivedSession,
  history: ArchivedHistory | null,
): Promise<ArchivedHistory | null> {
  if (history === null || history.users.length === 0) return history;
  const erased = await tx
    .selectFrom('archive_erased')
    .select('who')
    .where(
      'who',
      'in',
      history.users.map((id) => digest({ kind: 'user', tenant, id })),
    )
    .where('until', '>=', createdAt)
    .executeTakeFirst();
  return erased === undefined ? history : null;
}

function digest({ kind, tenant, id }: Erased): string {
  return createHash('sha256')
    .update(`${kind} ${nameIn(tenant, id)}`)
    .digest('hex');
}
