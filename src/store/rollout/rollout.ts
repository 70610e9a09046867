/**
 * Two stores as one, for moving from the old to the new without stopping: a share of the *new* sessions is made in the
 * new store, every session stays where it was made. Read next: `claims.ts`, which keeps a session out of both.
 */
import { crc32 } from 'node:zlib';
import type { Store } from '../contract.ts';
import { readCursor, unknownCursor, writeCursor } from '../cursor.ts';
import { health, heartbeat, onBoth, sweep } from './both.ts';
import { rolloutClaims } from './claims.ts';
import { createStoreLocation } from './store-location.ts';

export interface RolloutOptions {
  readonly old: Store;
  readonly new: Store;
  /** How many of a hundred new sessions are made in the new store. */
  readonly percent: number;
}

/** Whether the session, if it is made now, is made in the new store: the same on every instance. */
export function isInShare(sessionId: string, percent: number): boolean {
  return crc32(`rollout/${sessionId}`) % 10_000 < percent * 100;
}

export function rolloutStore({ old, new: newer, percent }: RolloutOptions): Store {
  const both = [old, newer] as const;
  const storeAt = (place: 'old' | 'new') => (place === 'old' ? old : newer);
  const seen = createStoreLocation(old, newer);
  const { ask } = seen;

  return {
    kind: old.kind,
    ...rolloutClaims(old, newer, seen, (sessionId) => isInShare(sessionId, percent)),
    read: (sessionId) =>
      ask(
        sessionId,
        (store) => store.read(sessionId),
        (record) => record !== null,
      ),
    readLog: (sessionId, after, limit) =>
      ask(
        sessionId,
        (store) => store.readLog(sessionId, after, limit),
        (page) => page !== null,
      ),
    readTranscript: (sessionId) =>
      ask(
        sessionId,
        (store) => store.readTranscript(sessionId),
        (entries) => entries.length > 0,
      ),
    readInbox: (sessionId) =>
      ask(
        sessionId,
        (store) => store.readInbox(sessionId),
        (entries) => entries.length > 0,
      ),
    push: (sessionId, entry) =>
      ask(
        sessionId,
        (store) => store.push(sessionId, entry),
        ({ kind }) => kind !== 'absent',
      ),
    export: (sessionId) =>
      ask(
        sessionId,
        (store) => store.export(sessionId),
        (dump) => dump !== null,
      ),
    async import(dump, mode) {
      const { sessionId } = dump;
      for (const place of ['old', 'new'] as const) {
        if ((await storeAt(place).read(sessionId)) !== null) return storeAt(place).import(dump, mode);
      }
      return storeAt(isInShare(sessionId, percent) ? 'new' : 'old').import(dump, mode);
    },
    async discard(sessionId) {
      const outcomes = await onBoth(both, (store) => store.discard(sessionId));
      seen.forget(sessionId);
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
    // Heard on both, said on one: who is told twice to let a session go would answer twice.
    signal: (instance, message) => old.signal(instance, message).catch(() => newer.signal(instance, message)),
    async onSignal(instance, listener) {
      await onBoth(both, (store) => store.onSignal(instance, listener));
    },
    heartbeat: (instance, ttlMs) => heartbeat(both, instance, ttlMs),
    async deregister(instance) {
      await onBoth(both, (store) => store.deregister(instance));
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
