/**
 * Unsent keeps the words of messages that have no turn yet, so that a reload of the page loses none. The page sends them
 * again under their ids; the server takes each once.
 */
import type { Shelf } from './known-sessions.ts';
import type { Waiting } from './page-state.ts';

const keyOf = (sessionId: string): string => `rehydra.unsent.${sessionId}`;

export function keepUnsent(shelf: Shelf, sessionId: string, waiting: readonly Waiting[]): void {
  const own = waiting.filter(({ content }) => content !== null);
  try {
    if (own.length > 0 || shelf.getItem(keyOf(sessionId)) !== null)
      shelf.setItem(keyOf(sessionId), JSON.stringify(own));
  } catch {
    // Storage is full or off: a reload loses what the server has not taken.
  }
}

export function unsentOf(shelf: Shelf, sessionId: string): readonly Waiting[] {
  try {
    const stored: unknown = JSON.parse(shelf.getItem(keyOf(sessionId)) ?? '[]');
    return Array.isArray(stored) ? stored.filter(isWaiting) : [];
  } catch {
    return [];
  }
}

function isWaiting(value: unknown): value is Waiting & { readonly content: string } {
  if (typeof value !== 'object' || value === null) return false;
  const { id, content } = value as Partial<Record<keyof Waiting, unknown>>;
  return typeof id === 'string' && typeof content === 'string' && content !== '';
}
