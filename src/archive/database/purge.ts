/**
 * Makes sure that every erasure is followed by a scrub, also one whose process died in between.
 *
 *  U1  A note is written in the transaction that deletes, and taken away once a scrub that began later has ended.
 *  U2  One scrub at a time. Erasures that come while one runs share the next.
 */
import { randomUUID } from 'node:crypto';
import type { Kysely, Transaction } from 'kysely';
import type { Engine } from './engine.ts';
import type { Tables } from './tables.ts';

export interface Purger {
  /** Does what is noted. Resolves once everything that was noted before the call is scrubbed. */
  scrub(): Promise<void>;
}

export async function noteErasure(tx: Transaction<Tables>): Promise<void> {
  await tx.insertInto('archive_erasures').values({ id: randomUUID() }).execute();
}

export function createPurger(engine: Engine): Purger {
  let last: Promise<void> = Promise.resolve();
  let next: Promise<void> | null = null;

  async function turn(): Promise<void> {
    await last.catch(() => {});
    next = null;
    const noted = await notes(engine.db);
    if (noted.length === 0) return;
    await engine.scrub();
    await engine.db
      .transaction()
      .execute((tx) => tx.deleteFrom('archive_erasures').where('id', 'in', noted).execute());
  }

  return {
    scrub(): Promise<void> {
      if (next !== null) return next;
      const mine = turn();
      next = mine;
      last = mine;
      return mine;
    },
  };
}

async function notes(db: Kysely<Tables>): Promise<readonly string[]> {
  const rows = await db.selectFrom('archive_erasures').select('id').limit(1_000).execute();
  return rows.map(({ id }) => id);
}
