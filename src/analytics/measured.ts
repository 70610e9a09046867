/**
 * Measured wraps the store, the archive and the generator, so that none of them knows about metrics: each wrapper times
 * calls and counts failures.
 */
import { LRUCache } from 'lru-cache';
import type { Archive } from '../archive/archive.ts';
import { codeOf } from '../errors.ts';
import type { Generator } from '../generation/port.ts';
import type { Store } from '../store/contract.ts';
import type { ArchiveCall, Meters, StoreCall } from '../telemetry/meters.ts';

/** Due sessions whose claim is still to come; beyond this number, the oldest ones are not measured. */
const DUE_MAX = 10_000;

/** A mistake of the client, not a failure of the archive. */
const CLIENT_ERROR = 'ARCHIVE_BAD_CURSOR';

const secondsSince = (startedMs: number) => (performance.now() - startedMs) / 1_000;

export function measuredStore(store: Store, meters: Meters, now: () => number = Date.now): Store {
  const due = new LRUCache<string, true>({ max: DUE_MAX });

  const failedIn =
    (call: StoreCall) =>
    (error: unknown): never => {
      meters.storeErrors.inc({ call });
      throw error;
    };

  return {
    ...store,
    async claim(sessionId, instance) {
      const outcome = await store.claim(sessionId, instance).catch(failedIn('claim'));
      meters.claims.inc({ outcome: outcome.kind });
      if (!due.delete(sessionId) || outcome.kind === 'held') return outcome;
      const dueAt = outcome.record?.dueAt ?? null;
      if (dueAt !== null) meters.sweepLag.observe(Math.max(0, now() - dueAt) / 1_000);
      return outcome;
    },
    commit(fence, write) {
      const startedMs = performance.now();
      return store.commit(fence, write).then((outcome) => {
        meters.commit.observe(secondsSince(startedMs));
        if (outcome.kind !== 'committed') meters.writesRefused.inc({ reason: outcome.kind });
        return outcome;
      }, failedIn('commit'));
    },
    append(fence, write) {
      const startedMs = performance.now();
      return store.append(fence, write).then((outcome) => {
        meters.append.observe(secondsSince(startedMs));
        if (outcome.kind !== 'committed') meters.writesRefused.inc({ reason: outcome.kind });
        return outcome;
      }, failedIn('append'));
    },
    renew: (fence) => store.renew(fence).catch(failedIn('renew')),
    release: (fence, notify) => store.release(fence, notify).catch(failedIn('release')),
    push: (sessionId, entry) => store.push(sessionId, entry).catch(failedIn('push')),
    async sweep(bucket, at, limit, visibilityMs) {
      meters.sweeps.inc();
      const swept = await store.sweep(bucket, at, limit, visibilityMs).catch(failedIn('sweep'));
      for (const sessionId of swept.due) due.set(sessionId, true);
      return swept;
    },
  };
}

export function measuredArchive(archive: Archive, meters: Meters): Archive {
  const failedIn = (call: ArchiveCall) => (error: unknown) => {
    if (codeOf(error) !== CLIENT_ERROR) meters.archiveErrors.inc({ call });
    throw error;
  };
  return {
    ...archive,
    async store(session, history) {
      const startedMs = performance.now();
      await archive.store(session, history).catch(failedIn('store'));
      meters.archived.observe(secondsSince(startedMs));
    },
    of(tenant) {
      const own = archive.of(tenant);
      return {
        read: (sessionId) => own.read(sessionId).catch(failedIn('read')),
        histories: (sessionId) => own.histories(sessionId).catch(failedIn('read')),
        search: (query) => own.search(query).catch(failedIn('search')),
        figures: (range) => own.figures(range).catch(failedIn('figures')),
        eraseSession: (...args) => own.eraseSession(...args).catch(failedIn('erase')),
        eraseUser: (...args) => own.eraseUser(...args).catch(failedIn('erase')),
      };
    },
    retire: (before) => archive.retire(before).catch(failedIn('retire')),
  };
}

export function measuredGenerator(generator: Generator, meters: Meters): Generator {
  return {
    async generate(request, onChunk, signal) {
      const startedMs = performance.now();
      let begun = false;
      const result = await generator.generate(
        request,
        (chunk) => {
          if (!begun) meters.firstToken.observe(secondsSince(startedMs));
          begun = true;
          onChunk(chunk);
        },
        signal,
      );
      const outcome = result.kind === 'failed' ? result.code : result.kind;
      meters.generation.observe({ outcome }, secondsSince(startedMs));
      if (result.kind === 'completed') {
        const { prompt_tokens, completion_tokens, cached_tokens } = result.usage;
        meters.tokens.inc({ kind: 'prompt' }, prompt_tokens);
        meters.tokens.inc({ kind: 'completion' }, completion_tokens);
        meters.tokens.inc({ kind: 'cached' }, cached_tokens ?? 0);
      }
      return result;
    },
    close: () => generator.close(),
  };
}
