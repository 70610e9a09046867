/**
 * The embedded store: durable, one process, no server to install. Read next: `writes.ts` for the rules, `group.ts`
 * for how the operations of one event-loop turn become one transaction.
 */

import type { Store, StoreHealth, StoreOptions } from '../contract.ts';
import { assertContinues, transcriptOf } from '../log.ts';
import { openDatabaseSoon } from './database.ts';
import { storeClosed, storeFailure } from './failure.ts';
import { countByState, page, startOf } from './listing.ts';
import { exportSession, importSession } from './moving.ts';
import { logPage, recordOf } from './reads.ts';
import { sweep } from './sweep.ts';
import { append, type Context, claim, commit, discard, find, push, release, renew } from './writes.ts';

export interface SqliteStoreOptions extends StoreOptions {
  /** A folder; or `:memory:`, a new database per open; or `:memory:name`, shared by all who say that name. */
  readonly dataDir: string;
  /** The clock of leases and expiry; tests and the simulation bring their own. */
  readonly now?: () => number;
}

export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const shared = await openDatabaseSoon(options.dataDir);
  const { group, hints, sql } = shared;
  const now = options.now ?? Date.now;
  const desk: Context = { sql, hints, options, now };
  const ear = hints.attach();
  let closed = false;
  const run: typeof group.run = (work) => (closed ? Promise.reject(storeClosed()) : group.run(work));

  return {
    kind: 'sqlite',
    claim: (sessionId, instance) => run(() => claim(desk, sessionId, instance)),
    async commit(fence, write) {
      assertContinues(write.expectedHead, write.frames);
      return run((afterCommit) => commit(desk, fence, write, afterCommit));
    },
    async append(fence, write) {
      assertContinues(write.expectedHead, write.frames);
      return run((afterCommit) => append(desk, fence, write, afterCommit));
    },
    renew: (fence) => run(() => renew(desk, fence)),
    release: (fence, notify) => run((afterCommit) => release(desk, fence, notify, afterCommit)),
    read: (sessionId) =>
      run(() => {
        const row = find(desk, sessionId);
        return row === undefined || row.version === 0 ? null : recordOf(sql, row);
      }),
    readLog: (sessionId, after, limit) =>
      run(() => {
        const row = find(desk, sessionId);
        return row === undefined || row.version === 0 ? null : logPage(sql, row, after, limit);
      }),
    readTranscript: (sessionId) =>
      run(() => {
        const row = find(desk, sessionId);
        return row === undefined ? [] : transcriptOf(sql.transcript(row.n).map(({ entry }) => entry));
      }),
    async list(query) {
      const after = startOf(query);
      return run(() => page(sql, query, after));
    },
    countByState: () => run(() => countByState(sql)),
    countOfUser: (userId, upTo) => run(() => sql.countOfUser(userId, upTo)?.sessions ?? 0),
    export: (sessionId) => run(() => exportSession(desk, sessionId)),
    async import(dump, mode) {
      const { record, frames } = dump;
      assertContinues(record.head - frames.length, frames);
      return run(() => importSession(desk, dump, mode));
    },
    discard: (sessionId) => run((afterCommit) => discard(desk, sessionId, afterCommit)),
    push: (sessionId, entry) => run(() => push(desk, sessionId, entry)),
    readInbox: (sessionId) =>
      run(() => {
        const row = find(desk, sessionId);
        return row === undefined ? [] : sql.inbox(row.n).map(({ entry }) => entry);
      }),
    sweep: (bucket, at, limit, visibilityMs) => run(() => sweep(desk, bucket, at, limit, visibilityMs)),
    async watch(sessionId) {
      if (closed) throw storeClosed();
      ear.watched.add(sessionId);
    },
    unwatch: (sessionId) => void ear.watched.delete(sessionId),
    onHint: (listener) => void ear.hintListeners.push(listener),
    async signal(instance, message) {
      hints.signal(instance, message);
    },
    async onSignal(instance, listener) {
      const listeners = ear.signalListeners.get(instance) ?? [];
      ear.signalListeners.set(instance, [...listeners, listener]);
    },
    async heartbeat(instance, ttlMs) {
      return hints.beat(instance, now() + ttlMs, now());
    },
    async deregister(instance) {
      hints.deregister(instance);
    },
    async purge() {
      if (closed) throw storeClosed();
      await shared.scrub();
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
        return { ok: false, kind: 'sqlite', durability, detail: storeFailure(cause).message };
      }
    },
    async close() {
      if (closed) return;
      closed = true;
      hints.detach(ear);
      shared.release();
    },
  };
}
