/**
 * What is said of all conversations: of those that ended what the archive counts, of those that live how many are in
 * which state. More of a living session would have to be read session by session.
 *
 * The figures of one range are counted once for all who ask within a few seconds: they read a whole range of the
 * archive, and the embedded one holds the event loop meanwhile.
 */
import type { Archive, ArchiveFigures } from '../archive/archive.ts';
import type { Store } from '../store/contract.ts';

export interface Range {
  readonly from?: number;
  readonly to?: number;
}

export interface Report {
  readonly byState: Readonly<Record<string, number>>;
  readonly figures: ArchiveFigures;
}

/** Rejects when the store or the archive does. */
export type Analytics = (range: Range) => Promise<Report>;

const FRESH_MS = 3_000;
const RANGES_MAX = 16;

/** `nowMs`: by a clock that nobody sets. */
export function createAnalytics(store: Store, archive: Archive, nowMs: () => number): Analytics {
  const recent = new Map<string, { readonly atMs: number; readonly figures: Promise<ArchiveFigures> }>();

  function figures(range: Range): Promise<ArchiveFigures> {
    const key = JSON.stringify([range.from ?? null, range.to ?? null]);
    const known = recent.get(key);
    if (known !== undefined && nowMs() - known.atMs < FRESH_MS) return known.figures;
    const counted = { atMs: nowMs(), figures: archive.figures(range) };
    recent.delete(key);
    recent.set(key, counted);
    counted.figures.catch(() => recent.get(key) === counted && recent.delete(key));
    const [oldest] = recent.size > RANGES_MAX ? recent.keys() : [];
    if (oldest !== undefined) recent.delete(oldest);
    return counted.figures;
  }

  return async (range) => {
    const [byState, counted] = await Promise.all([store.countByState(), figures(range)]);
    return { byState, figures: counted };
  };
}
