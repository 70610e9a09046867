/** Reads sessions from a store as dumps, page by page in a fixed order. */

import { codeOf } from '../errors.ts';
import type { SessionDump, Store } from '../store/contract.ts';
import { sumOf } from './notes.ts';

export type Found =
  | { readonly kind: 'session'; readonly dump: SessionDump }
  | { readonly kind: 'unreadable'; readonly sessionId: string; readonly reason: string };

export interface SourcePage {
  readonly found: readonly Found[];
  readonly cursor: string | null;
}

export interface Source {
  /** A cursor of an earlier run is still valid. */
  readonly resumes: boolean;
  /** An estimate, for the progress only. */
  total(): Promise<number>;
  page(cursor: string | null, limit: number): Promise<SourcePage>;
  one(sessionId: string): Promise<Found | null>;
}

/** The sessions of `store` that `other` does not have. */
export function absentSource(store: Store, other: Store): Source {
  const all = storeSource(store);
  return {
    ...all,
    async page(cursor, limit) {
      const page = await store.list({ limit, ...(cursor === null ? {} : { cursor }) });
      const there = await Promise.all(page.sessionIds.map((sessionId) => other.read(sessionId)));
      const absent = page.sessionIds.filter((_, index) => there[index] === null);
      const found = await Promise.all(absent.map(all.one));
      return { found: found.filter((each) => each !== null), cursor: page.cursor };
    },
  };
}

export function storeSource(store: Store): Source {
  const one = async (sessionId: string): Promise<Found | null> => {
    try {
      const dump = await store.export(sessionId);
      return dump === null ? null : { kind: 'session', dump };
    } catch (cause) {
      if (!(cause instanceof Error) || codeOf(cause) !== 'STORE_SEALED') throw cause;
      return { kind: 'unreadable', sessionId, reason: cause.message };
    }
  };
  return {
    resumes: true,
    total: async () => sumOf(await store.countByState()),
    async page(cursor, limit) {
      const page = await store.list({ limit, ...(cursor === null ? {} : { cursor }) });
      const found = await Promise.all(page.sessionIds.map(one));
      // A session may have ended between the listing and the export.
      return { found: found.filter((each) => each !== null), cursor: page.cursor };
    },
    one,
  };
}
