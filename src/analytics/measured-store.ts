/**
 * MeasuredStore times the calls of a store and counts its refusals, so that no store measures itself.
 *
 * An instance claims a session a moment after its sweep finds it due; the claimed record says since when.
 */
import { LRUCache } from 'lru-cache';
import type { Store } from '../store/contract.ts';
import type { Meters, StoreCall } from '../telemetry/meters.ts';

/** Sessions that a sweep found and that are not claimed yet; beyond it the lag of the oldest is not measured. */
const DUE_MAX = 10_000;

export function measuredStore(store: Store, meters: Meters, now: () => number = Date.now): Store {
  const due = new LRUCache<string, true>({ max: DUE_MAX });

  const failedIn = (call: StoreCall) => (error: unknown) => {
    meters.storeCallFailed(call);
    throw error;
  };

  return {
    ...store,
    async claim(sessionId, instance) {
      const outcome = await store.claim(sessionId, instance).catch(failedIn('claim'));
      meters.claimed(outcome.kind);
      if (!due.delete(sessionId) || outcome.kind === 'held') return outcome;
      const dueAt = outcome.record?.dueAt ?? null;
      if (dueAt !== null) meters.tookUpLate(Math.max(0, now() - dueAt) / 1_000);
      return outcome;
    },
    async commit(fence, write) {
      const startedAt = performance.now();
      const outcome = await store.commit(fence, write).catch(failedIn('commit'));
      meters.committed((performance.now() - startedAt) / 1_000);
      if (outcome.kind !== 'committed') meters.writeRefused(outcome.kind);
      return outcome;
    },
    async append(fence, write) {
      const startedAt = performance.now();
      const outcome = await store.append(fence, write).catch(failedIn('append'));
      meters.appended((performance.now() - startedAt) / 1_000);
      if (outcome.kind !== 'committed') meters.writeRefused(outcome.kind);
      return outcome;
    },
    renew: (fence) => store.renew(fence).catch(failedIn('renew')),
    release: (fence, notify) => store.release(fence, notify).catch(failedIn('release')),
    push: (sessionId, entry) => store.push(sessionId, entry).catch(failedIn('push')),
    async sweep(bucket, at, limit, visibilityMs) {
      meters.swept();
      const swept = await store.sweep(bucket, at, limit, visibilityMs).catch(failedIn('sweep'));
      for (const sessionId of swept.due) due.set(sessionId, true);
      return swept;
    },
  };
}
