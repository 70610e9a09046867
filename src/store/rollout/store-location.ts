/**
 * In which of the two stores of a roll-out a session was seen last. Only a hint: what is not found there is looked for
 * in the other.
 */
import type { Store } from '../contract.ts';

export type LocatedSession = 'old' | 'new';

const REMEMBERED_MAX = 100_000;

export interface StoreLocation {
  at(sessionId: string): LocatedSession | undefined;
  remember(sessionId: string, place: LocatedSession): void;
  forget(sessionId: string): void;
  /** Asks where the session was seen last, then the other store. */
  ask<T>(
    sessionId: string,
    question: (store: Store) => Promise<T>,
    isThere: (answer: T) => boolean,
  ): Promise<T>;
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
    async ask(sessionId, question, isThere) {
      const likely = seen.get(sessionId) ?? 'old';
      const other = likely === 'old' ? 'new' : 'old';
      let answer = await question(storeAt(likely));
      if (isThere(answer)) {
        remember(sessionId, likely);
        return answer;
      }
      answer = await question(storeAt(other));
      if (isThere(answer)) remember(sessionId, other);
      else seen.delete(sessionId);
      return answer;
    },
  };
}
