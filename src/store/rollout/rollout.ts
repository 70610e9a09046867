/**
 * Makes one store of two, for a move from the old to the new one without downtime. A share of the new sessions starts in
 * the new store, and every session stays in its store. Read next: `claims.ts`, which keeps a session out of both.
 */
import { crc32 } from 'node:zlib';
import type { Store } from '../contract.ts';
import { readCursor, unknownCursor, writeCursor } from '../cursor.ts';
import { rolloutClaims } from './claims.ts';
import { health, heartbeat, onBoth, sweep } from './fan-out.ts';
import { createStoreLocation, type LocatedSession } from './store-location.ts';

export interface RolloutOptions {
  readonly old: Store;
  readonly new: Store;
  /** Percentage of new sessions that start in the new store. */
  readonly percent: number;
}

/** Whether a new session starts in the new store; every instance decides alike. */
export function isInShare(sessionId: string, percent: number): boolean {
  return crc32(`rollout/${sessionId}`) % 10_000 < percent * 100;
}

export function rolloutStore({ old, new: newer, percent }: RolloutOptions): Store {
  const both = [old, newer] as const;
  const storeAt = (place: LocatedSession) => (place === 'old' ? old : newer);
  const location = createStoreLocation(old, newer);
  const { find } = location;

  return {
    kind: old.kind,
    ...rolloutClaims(old, newer, location, (sessionId) => isInShare(sessionId, percent)),
    read: (sessionId) => find(sessionId, (store) => store.read(sessionId)),
    readLog: (sessionId, after, limit) => find(sessionId, (store) => store.readLog(sessionId, after, limit)),
    readTranscript: (sessionId) => find(sessionId, (store) => store.readTranscript(sessionId)),
    readHistory: (sessionId) => find(sessionId, (store) => store.readHistory(sessionId)),
    readInbox: (sessionId) => find(sessionId, (store) => store.readInbox(sessionId)),
    push: (sessionId, entry) => find(sessionId, (store) => store.push(sessionId, entry)),
    export: (sessionId) => find(sessionId, (store) => store.export(sessionId)),
    async import(dump, mode) {
      const { sessionId } = dump;
      for (const place of ['old', 'new'] as const) {
        if ((await storeAt(place).read(sessionId)) !== null) return storeAt(place).import(dump, mode);
      }
      return storeAt(isInShare(sessionId, percent) ? 'new' : 'old').import(dump, mode);
    },
    async discard(sessionId) {
      const outcomes = await onBoth(both, (store) => store.discard(sessionId));
      location.forget(sessionId);
      return outcomes.find((outcome) => outcome !== 'absent') ?? 'absent';
    },
    async list(query) {
      const [from, rest] =
        query.cursor === undefined ? ['old', ''] : readCursor(query.cursor, ['string', 'string']);
      if (from !== 'old' && from !== 'new') throw unknownCursor();
      const { cursor: _, ...filter } = query;
      const sessionIds: string[] = [];
      let cursor = String(rest);
      for (const place of from === 'old' ? (['old', 'new'] as const) : (['new'] as const)) {
        if (sessionIds.length === query.limit) return { sessionIds, cursor: writeCursor([place, '']) };
        const limit = query.limit - sessionIds.length;
        const page = await storeAt(place).list({ ...filter, limit, ...(cursor === '' ? {} : { cursor }) });
        sessionIds.push(...page.sessionIds);
        if (page.cursor !== null) return { sessionIds, cursor: writeCursor([place, page.cursor]) };
        cursor = '';
      }
      return { sessionIds, cursor: null };
    },
    async countByState() {
      const counts: Record<string, number> = {};
      for (const part of await onBoth(both, (store) => store.countByState())) {
        for (const [state, n] of Object.entries(part)) counts[state] = (counts[state] ?? 0) + n;
      }
      return counts;
    },
    async countOfUser(userId, upTo) {
      const counts = await onBoth(both, (store) => store.countOfUser(userId, upTo));
      return counts.reduce((sum, sessions) => sum + sessions, 0);
    },
    /** In both stores: an instance that has left the old one goes on from the same total. */
    async tally(name, by, expiresAt) {
      return Math.max(...(await onBoth(both, (store) => store.tally(name, by, expiresAt))));
    },
    sweep: (bucket, now, limit, visibilityMs) => sweep(both, bucket, now, limit, visibilityMs),
    async watch(sessionId) {
      try {
        await onBoth(both, (store) => store.watch(sessionId));
      } catch (error) {
        for (const store of both) store.unwatch(sessionId);
        throw error;
      }
    },
    unwatch(sessionId) {
      for (const store of both) store.unwatch(sessionId);
    },
    onHint(listener) {
      for (const store of both) store.onHint(listener);
    },
    // Instances listen on both stores; a message sent on both would make its receiver release a session twice.
    signal: (instance, message) => old.signal(instance, message).catch(() => newer.signal(instance, message)),
    async onSignal(instance, listener) {
      await onBoth(both, (store) => store.onSignal(instance, listener));
    },
    heartbeat: (instance, ttlMs) => heartbeat(both, instance, ttlMs),
    async deregister(instance) {
      await onBoth(both, (store) => store.deregister(instance));
    },
    async notePurge() {
      await onBoth(both, (store) => store.notePurge());
    },
    async purge() {
      await onBoth(both, (store) => store.purge());
    },
    health: () => health(both, percent),
    async close() {
      await onBoth(both, (store) => store.close());
    },
  };
}
