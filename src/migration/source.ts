/** Where sessions come from: page by page, in an order that stays, each as a dump. */

import { codeOf } from '../errors.ts';
import type { SessionDump, Store } from '../store/contract.ts';

export type Found =
  | { readonly kind: 'session'; readonly dump: SessionDump }
  | { readonly kind: 'unreadable'; readonly sessionId: string; readonly reason: string };

export interface SourcePage {
  readonly found: readonly Found[];
  readonly cursor: string | null;
}

export interface Source {
  /** A cursor of an earlier run still means something. */
  readonly resumes: boolean;
  /** About how many; for the progress bar only. */
  total(): Promise<number>;
  page(cursor: string | null, limit: number): Promise<SourcePage>;
  one(sessionId: string): Promise<Found | null>;
}

/** Of `store`, only what `other` has not. */
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
    total: async () => Object.values(await store.countByState()).reduce((sum, n) => sum + n, 0),
    async page(cursor, limit) {
      const page = await store.list({ limit, ...(cursor === null ? {} : { cursor }) });
      const found = await Promise.all(page.sessionIds.map(one));
      // What ended between the listing and the export is no session any more.
      return { found: found.filter((each) => each !== null), cursor: page.cursor };
    },
    one,
  };
}
