/**
 * A store that is timed from outside: whoever uses it notices nothing, and no store has to know how it is measured.
 * Lag of the sweeper: what a sweep shows is claimed a moment later, and the claim tells when it was due.
 */
import type { Store } from '../store/contract.ts';
import type { Meters, StoreCall } from '../telemetry/meters.ts';

/** Shown by a sweep and not claimed yet; more are forgotten, and only their lag is. */
const SHOWN_MAX = 10_000;

export function measuredStore(store: Store, meters: Meters, now: () => number = Date.now): Store {
  const shown = new Set<string>();

  const failedIn = (call: StoreCall) => (error: unknown) => {
    meters.storeCallFailed(call);
    throw error;
  };

  return {
    ...store,
    async claim(sessionId, instance) {
      const outcome = await store.claim(sessionId, instance).catch(failedIn('claim'));
      meters.claimed(outcome.kind);
      if (!shown.delete(sessionId) || outcome.kind === 'held') return outcome;
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
      if (swept.due.length > 0 && shown.size < SHOWN_MAX)
        for (const sessionId of swept.due) shown.add(sessionId);
      return swept;
    },
  };
}
