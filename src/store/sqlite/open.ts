/**
 * Opens the embedded store: durable, one process, no server to install. Read next: `writes.ts` for the rules, `group.ts`
 * for the transactions.
 */
import type { Store, StoreHealth, StoreOptions } from '../contract.ts';
import { assertContinues, transcriptOf } from '../log.ts';
import { type DatabaseUse, openDatabaseSoon } from './database.ts';
import { sqliteFailure, storeClosed } from './failure.ts';
import { exportSession, importSession } from './moving.ts';
import { countByState, historyOf, logPage, page, recordOf, startOf, transcriptPage } from './reads.ts';
import { sweep } from './sweep.ts';
import {
  append,
  type Context,
  claim,
  commit,
  discard,
  find,
  findCommitted,
  push,
  release,
  renew,
  tally,
} from './writes.ts';

export interface SqliteStoreOptions extends StoreOptions {
  /** A folder; or `:memory:`, a new database per open; or `:memory:name`, which all its opens share. */
  readonly dataDir: string;
  readonly use?: DatabaseUse;
  /** The clock of leases and expiry, for tests and the simulation. */
  readonly now?: () => number;
}

export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const shared = await openDatabaseSoon(options.dataDir, options.use ?? 'serve');
  const { group, hints, sql } = shared;
  const now = options.now ?? Date.now;
  const context: Context = { sql, hints, options, now };
  const { detach, ...subscriber } = hints.attach();
  let closed = false;
  const run: typeof group.run = (work) => (closed ? Promise.reject(storeClosed()) : group.run(work));

  return {
    kind: 'sqlite',
    claim: (sessionId, instance) => run(() => claim(context, sessionId, instance)),
    async commit(fence, write) {
      assertContinues(write.expectedHead, write.frames);
      return run((afterCommit) => commit(context, fence, write, afterCommit));
    },
    async append(fence, write) {
      assertContinues(write.expectedHead, write.frames);
      return run((afterCommit) => append(context, fence, write, afterCommit));
    },
    renew: (fence) => run(() => renew(context, fence)),
    release: (fence, notify) => run((afterCommit) => release(context, fence, notify, afterCommit)),
    read: (sessionId) =>
      run(() => {
        const row = findCommitted(context, sessionId);
        return row === undefined ? null : recordOf(sql, row);
      }),
    readLog: (sessionId, after, limit) =>
      run(() => {
        const row = findCommitted(context, sessionId);
        return row === undefined ? null : logPage(sql, row, after, limit);
      }),
    readTranscript: (sessionId) =>
      transcriptOf((after) =>
        run(() => {
          const row = find(context, sessionId);
          return row === undefined ? null : transcriptPage(sql, row, after);
        }),
      ),
    readHistory: (sessionId) =>
      run(() => {
        const row = findCommitted(context, sessionId);
        return row === undefined ? null : { record: recordOf(sql, row), history: historyOf(sql, row) };
      }),
    async list(query) {
      const after = startOf(query);
      return run(() => page(sql, query, after));
    },
    countByState: () => run(() => countByState(sql)),
    countOfUser: (userId, upTo) => run(() => sql.countOfUser(userId, upTo)?.sessions ?? 0),
    tally: (name, by, expiresAt) => run(() => tally(context, name, by, expiresAt)),
    export: (sessionId) => run(() => exportSession(context, sessionId)),
    async import(dump, mode) {
      const { record, frames } = dump;
      assertContinues(record.head - frames.length, frames);
      return run(() => importSession(context, dump, mode));
    },
    discard: (sessionId) => run((afterCommit) => discard(context, sessionId, afterCommit)),
    push: (sessionId, entry) => run(() => push(context, sessionId, entry)),
    readInbox: (sessionId) =>
      run(() => {
        const row = find(context, sessionId);
        return row === undefined ? [] : sql.inbox(row.n).map(({ entry }) => entry);
      }),
    sweep: (bucket, at, limit, visibilityMs) => run(() => sweep(context, bucket, at, limit, visibilityMs)),
    ...subscriber,
    async watch(sessionId) {
      if (closed) throw storeClosed();
      await subscriber.watch(sessionId);
    },
    async signal(instance, message) {
      hints.signal(instance, message);
    },
    async heartbeat(instance, ttlMs) {
      return hints.beat(instance, now() + ttlMs, now());
    },
    async deregister(instance) {
      hints.deregister(instance);
    },
    async notePurge() {
      await run(() => sql.notePurge());
    },
    async purge() {
      if (closed) throw storeClosed();
      await shared.purge();
    },
    async health(): Promise<StoreHealth> {
      const durability = shared.inMemory ? 'memory' : 'file';
      try {
        await run(() => sql.session(''));
        const trouble = await shared.health.trouble();
        if (trouble !== null) return { ok: false, kind: 'sqlite', durability, detail: trouble };
        const detail = shared.inMemory ? 'gone with this process' : `${shared.name}, WAL, synchronous=NORMAL`;
        return { ok: true, kind: 'sqlite', durability, detail };
      } catch (cause) {
        return { ok: false, kind: 'sqlite', durability, detail: sqliteFailure(cause).message };
      }
    },
    async close() {
      if (closed) return;
      closed = true;
      detach();
      shared.release();
    },
  };
}
