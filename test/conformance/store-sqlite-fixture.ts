/** The conformance suite's fixture on the embedded store: three handles on one database, and a simulated clock. */

import type { StoreOptions } from '../../src/store/contract.ts';
import { openDatabase } from '../../src/store/sqlite/database.ts';
import { CHILD_TABLES } from '../../src/store/sqlite/migrations.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import type { StoreFixture } from './store-fixture.ts';

export async function sqliteFixture(
  options: StoreOptions,
  dataDir: string,
  remove: () => void,
): Promise<StoreFixture> {
  // With a simulated clock no test waits for a lease.
  let ahead = 0;
  const now = () => Date.now() + ahead;
  const open = () => openSqliteStore({ ...options, dataDir, now });
  const stores = [await open(), await open(), await open()] as const;
  const { db, release } = openDatabase(dataDir);
  return {
    stores,
    now,
    async elapse(ms) {
      ahead += ms;
    },
    async traces(sessionId) {
      const found = new Map<string, number | null>();
      const row = db.prepare('SELECT n, version, expires_at FROM sessions WHERE id = ?').get(sessionId) as
        | { n: number; version: number; expires_at: number }
        | undefined;
      if (row !== undefined)
        found.set('sessions', row.version > 0 ? Number.POSITIVE_INFINITY : row.expires_at - now());
      for (const table of CHILD_TABLES) {
        // A row without its session would be a trace of an ended one.
        const { rows } = db
          .prepare(
            `SELECT COUNT(*) AS rows FROM ${table} WHERE session = ? OR session NOT IN (SELECT n FROM sessions)`,
          )
          .get(row?.n ?? -1) as { rows: number };
        if (rows > 0) found.set(table, null);
      }
      return found;
    },
    async stop() {
      release();
      for (const store of stores) await store.close();
      remove();
    },
  };
}
