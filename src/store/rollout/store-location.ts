/** Remembers in which store of a rollout a session was last. It is only a hint: `find` also looks into the other store. */
import type { Store } from '../contract.ts';

export type LocatedSession = 'old' | 'new';

const REMEMBERED_MAX = 100_000;

export interface StoreLocation {
  at(sessionId: string): LocatedSession | undefined;
  remember(sessionId: string, place: LocatedSession): void;
  forget(sessionId: string): void;
  /** The answer of the store that has the session; the likely one first. */
  find<T extends object | null>(sessionId: string, read: (store: Store) => Promise<T>): Promise<T>;
}

export function createStoreLocation(old: Store, newer: Store): StoreLocation {
  const storeAt = (place: LocatedSession) => (place === 'old' ? old : newer);
  const seen = new Map<string, LocatedSession>();

  function remember(sessionId: string, place: LocatedSession): void {
    seen.delete(sessionId);
    seen.set(sessionId, place);
    const [oldest] = seen.size > REMEMBERED_MAX ? seen.keys() : [];
    if (oldest !== undefined) seen.delete(oldest);
  }

  return {
    at: (sessionId) => seen.get(sessionId),
    remember,
    forget: (sessionId) => void seen.delete(sessionId),
    async find(sessionId, read) {
      const likely = seen.get(sessionId) ?? 'old';
      const other = likely === 'old' ? 'new' : 'old';
      let answer = await read(storeAt(likely));
      if (isFound(answer)) {
        remember(sessionId, likely);
        return answer;
      }
      answer = await read(storeAt(other));
      if (isFound(answer)) remember(sessionId, other);
      else seen.delete(sessionId);
      return answer;
    },
  };
}

function isFound(answer: object | null): boolean {
  if (answer === null) return false;
  if (Array.isArray(answer)) return answer.length > 0;
  return !('kind' in answer && answer.kind === 'absent');
}
