/**
 * Analytics reports on all conversations of a tenant: the number of living sessions in each state, and the archive's figures of ended
 * ones. Any other figure of living sessions would need a read of each.
 *
 * Callers of a tenant that ask for the same range within a few seconds share one count: it reads a whole range of the archive, and
 * the embedded archive blocks the event loop meanwhile.
 */
import { LRUCache } from 'lru-cache';
import type { Archive, ArchiveFigures } from '../archive/archive.ts';
import type { Store } from '../store/contract.ts';
import { countsOf } from '../store/tenant-index.ts';

export interface Range {
  readonly from?: number;
  readonly to?: number;
}

export interface Report {
  readonly byState: Readonly<Record<string, number>>;
  readonly figures: ArchiveFigures;
}

/** Rejects when the store or the archive does. */
export type Analytics = (tenant: string, range: Range) => Promise<Report>;

const FRESH_MS = 3_000;
const RANGES_MAX = 16;

/** `nowMs` is monotonic: a wall clock that is set back would keep old figures. */
export function createAnalytics(store: Store, archive: Archive, nowMs: () => number): Analytics {
  const recent = new LRUCache<string, Promise<ArchiveFigures>>({
    max: RANGES_MAX,
    ttl: FRESH_MS,
    ttlResolution: 0,
    perf: { now: nowMs },
  });

  function figures(tenant: string, range: Range): Promise<ArchiveFigures> {
    const key = JSON.stringify([tenant, range.from ?? null, range.to ?? null]);
    const known = recent.get(key);
    if (known !== undefined) return known;
    const counted = archive.of(tenant).figures(range);
    recent.set(key, counted);
    counted.catch(() => recent.peek(key) === counted && recent.delete(key));
    return counted;
  }

  return async (tenant, range) => {
    const [byState, counted] = await Promise.all([store.countByState(), figures(tenant, range)]);
    return { byState: countsOf(tenant, byState), figures: counted };
  };
}
