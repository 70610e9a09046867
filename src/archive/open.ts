/**
 * The archive in SQL: PostgreSQL where there is a URL of one, else a file of its own in the data folder. Read next:
 * `writes.ts` and `search.ts` for what is done, `engine.ts` for what differs, `scrubber.ts` for what erasing means.
 */

import { sleep } from '../clock.ts';
import type { SealingKeys } from '../sealing/keys.ts';
import type { Archive } from './archive.ts';
import type { Engine } from './database/engine.ts';
import { archiveError, archiveFailure } from './database/failure.ts';
import { migrate } from './database/migrations.ts';
import { openPostgres } from './database/postgres.ts';
import { createPurger } from './database/purge.ts';
import { openSqlite } from './database/sqlite.ts';
import { forgetErased, withoutErased } from './erased.ts';
import { fieldCipherOf } from './field-cipher.ts';
import { figures } from './figures.ts';
import { livesOf } from './rows/reads.ts';
import { eraseSession, eraseUser, retire, store } from './rows/writes.ts';
import { search } from './search/search.ts';

/** A database that was cut off answers nothing at all, and connections to it hang for minutes. */
const HEALTH_WITHIN_MS = 1_000;
const ASK_WITHIN_MS = 30_000;

const NO_KEYS: SealingKeys = { keys: [], plain: 'read' };

export interface ArchiveOptions {
  readonly databaseUrl: string | null;
  /** A folder; or `:memory:`, a new archive per open; or `:memory:name`, shared by all who say that name. */
  readonly dataDir: string;
  /** Absent: words are stored as they are. */
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
  return { ...database, ink: fieldCipherOf(sealing ?? NO_KEYS) };
}

/** The engine is the archive's from now on, and closed with it. */
export async function archiveOn(engine: Engine): Promise<Archive> {
  const { db, ink } = engine;
  const scrubber = createPurger(engine);
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
  /** For what changes nothing: it may be given up. */
  async function ask<T>(work: () => Promise<T>, withinMs = ASK_WITHIN_MS): Promise<T> {
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
    // An erasure was interrupted. Where it can't be finished now, its note stays, and the archive is of use without.
    await scrubber.scrub().catch(() => {});
  } catch (cause) {
    await close();
    throw cause;
  }

  return {
    kind: engine.kind,
    store: (session) =>
      run(() =>
        db.transaction().execute(async (tx) => {
          await engine.keepErasuresOut(tx);
          const left = await withoutErased(tx, session);
          if (left !== null) await store(tx, ink, left);
        }),
      ),
    read: (sessionId) => ask(() => livesOf(db, ink, sessionId)),
    search: (query) => ask(() => search(engine, query)),
    figures: (range) => ask(() => figures(db, ink, range)),
    eraseSession: (sessionId, until) =>
      run(async () => {
        const lives = await db.transaction().execute((tx) => eraseSession(tx, sessionId, until));
        await scrubber.scrub();
        return lives;
      }),
    eraseUser: (userId, until) =>
      run(async () => {
        const sessionIds = await db.transaction().execute((tx) => eraseUser(tx, ink, userId, until));
        await scrubber.scrub();
        return sessionIds;
      }),
    retire: (before) =>
      run(async () => {
        const retired = await retire(db, before);
        await db.transaction().execute((tx) => forgetErased(tx, Date.now()));
        if (retired > 0) await engine.tidy();
        return retired;
      }),
    health: () =>
      ask(() => engine.trouble(), HEALTH_WITHIN_MS).then(
        (trouble) => trouble === null,
        () => false,
      ),
    close,
  };
}
