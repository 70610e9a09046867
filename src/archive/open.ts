/**
 * Opens the archive: in PostgreSQL if there is a URL, else in a file of its own in the data folder. Read next: `rows/writes.ts`
 * and `search/search.ts` for its operations, `database/engine.ts` for the difference between the databases,
 * `database/purge.ts` for erasure.
 */
import type { Transaction } from 'kysely';
import { sleep } from '../clock.ts';
import { NO_KEYS, type SealingKeys } from '../sealing/key-ring.ts';
import type { Archive } from './archive.ts';
import type { Engine } from './database/engine.ts';
import { archiveError, archiveFailure } from './database/failure.ts';
import { migrate } from './database/migrations.ts';
import { openPostgres } from './database/postgres.ts';
import { createPurge } from './database/purge.ts';
import { openSqlite } from './database/sqlite.ts';
import type { Tables } from './database/tables.ts';
import { fieldCipherOf } from './field-cipher.ts';
import { figures } from './figures.ts';
import { historiesOf, livesOf } from './rows/reads.ts';
import { eraseSession, eraseUser, retire, store } from './rows/writes.ts';
import { search } from './search/search.ts';
import { dropOldTombstones, withoutErased, withoutErasedUsers } from './tombstones.ts';

/** A database behind a dropped route never answers, and connections to it hang for minutes. */
const HEALTH_WITHIN_MS = 1_000;
const READ_WITHIN_MS = 30_000;

export interface ArchiveOptions {
  readonly databaseUrl: string | null;
  /** A folder; or `:memory:`, a new archive per open; or `:memory:name`, which all its opens share. */
  readonly dataDir: string;
  /** Absent: the archive stores plain text. */
  readonly sealing?: SealingKeys;
}

export async function openArchive(options: ArchiveOptions): Promise<Archive> {
  try {
    return await archiveOn(openEngine(options));
  } catch (cause) {
    throw archiveFailure(cause);
  }
}

export function openEngine({ databaseUrl, dataDir, sealing }: ArchiveOptions): Engine {
  const database = databaseUrl === null ? openSqlite(dataDir) : openPostgres(databaseUrl);
  return { ...database, cipher: fieldCipherOf(sealing ?? NO_KEYS) };
}

/** The archive owns the engine from now on and closes it. */
export async function archiveOn(engine: Engine): Promise<Archive> {
  const { db, cipher } = engine;
  const purge = createPurge(engine);
  let closed = false;

  async function run<T>(work: () => Promise<T>): Promise<T> {
    if (closed) throw archiveError('ARCHIVE_CLOSED', 'closed');
    try {
      return await work();
    } catch (cause) {
      engine.failed(cause);
      throw archiveFailure(cause);
    }
  }
  /** Runs a read; it may time out, because it changes nothing. */
  async function read<T>(work: () => Promise<T>, withinMs = READ_WITHIN_MS): Promise<T> {
    const given = new AbortController();
    const late = sleep(withinMs, given.signal).then(() => {
      throw archiveError('ARCHIVE_UNAVAILABLE', `no answer within ${withinMs} ms`);
    });
    try {
      return await Promise.race([run(work), late]);
    } finally {
      given.abort();
    }
  }
  async function close(): Promise<void> {
    if (closed) return;
    closed = true;
    await engine.close();
  }

  try {
    await migrate(engine);
    engine.migrated();
    // Finishes an interrupted erasure. If that fails, its note stays for the next attempt and the archive still works.
    await purge().catch(() => {});
  } catch (cause) {
    await close();
    throw cause;
  }

  return {
    kind: engine.kind,
    store: (session, history = null) =>
      run(() =>
        db.transaction().execute(async (tx) => {
          await engine.keepErasuresOut(tx);
          const left = await withoutErased(tx, session);
          if (left === null) return;
          await store(tx, cipher, left, await withoutErasedUsers(tx, session, history));
        }),
      ),
    of: (tenant) => ({
      read: (sessionId) => read(() => livesOf(db, cipher, tenant, sessionId)),
      histories: (sessionId) => read(() => historiesOf(db, cipher, tenant, sessionId)),
      search: (query) => read(() => search(engine, tenant, query)),
      figures: (range) => read(() => figures(db, cipher, tenant, range)),
      eraseSession: (sessionId, until, found = async () => {}) =>
        run(async () => {
          const erase = (tx: Transaction<Tables>) => eraseSession(tx, tenant, sessionId, until, found);
          const lives = await db.transaction().execute(erase);
          await purge();
          return lives;
        }),
      eraseUser: (userId, until, found = async () => {}) =>
        run(async () => {
          const erase = (tx: Transaction<Tables>) => eraseUser(tx, cipher, tenant, userId, until, found);
          const sessionIds = await db.transaction().execute(erase);
          await purge();
          return sessionIds;
        }),
    }),
    retire: (before) =>
      run(async () => {
        const retired = await retire(db, before);
        await db.transaction().execute((tx) => dropOldTombstones(tx, Date.now()));
        if (retired > 0) await engine.tidy();
        return retired;
      }),
    health: () =>
      read(() => engine.trouble(), HEALTH_WITHIN_MS).then(
        (trouble) => trouble === null,
        () => false,
      ),
    close,
  };
}
