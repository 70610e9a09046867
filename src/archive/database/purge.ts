/**
 * Follows every erasure with a purge of the files, even if its process dies in between.
 *
 *  PURGE-1  The transaction that deletes also writes a note. A purge that begins later removes the note at its end.
 *  PURGE-2  One purge runs at a time; erasures during a purge share the next one.
 */
import { randomUUID } from 'node:crypto';
import type { Transaction } from 'kysely';
import { sharedPurge } from '../../store/purge.ts';
import type { Engine } from './engine.ts';
import type { Tables } from './tables.ts';

export async function notePurge(tx: Transaction<Tables>): Promise<void> {
  await tx.insertInto('archive_erasures').values({ id: randomUUID() }).execute();
}

/** The returned function resolves once the files hold no bytes of the deletions noted before the call. */
export function createPurge({ db, purge }: Engine): () => Promise<void> {
  return sharedPurge(async () => {
    const rows = await db.selectFrom('archive_erasures').select('id').limit(1_000).execute();
    if (rows.length === 0) return;
    await purge();
    const ids = rows.map(({ id }) => id);
    await db
      .transaction()
      .execute((tx) => tx.deleteFrom('archive_erasures').where('id', 'in', ids).execute());
  });
}
