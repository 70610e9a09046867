/**
 * KnownSessions is the list of conversations that this browser has had. With a token it lives only as long as the tab:
 * the next user of the browser must not read the titles.
 */
export interface KnownSession {
  readonly id: string;
  readonly title: string;
  /** When it began, in ms since the epoch. */
  readonly at: number;
}

/** `localStorage` or `sessionStorage`. */
export interface Shelf {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

const KEY = 'rehydra.sessions';
/** The oldest leave the list. */
export const KNOWN_MAX = 50;

export function knownSessions(shelf: Shelf): readonly KnownSession[] {
  try {
    const stored: unknown = JSON.parse(shelf.getItem(KEY) ?? '[]');
    return Array.isArray(stored) ? stored.filter(isKnownSession) : [];
  } catch {
    // Another page of this origin wrote something else, or storage is off.
    return [];
  }
}

/** Newest first. A known session keeps its time, and its title unless it had none. */
export function remember(shelf: Shelf, session: KnownSession): void {
  const known = knownSessions(shelf);
  const former = known.find(({ id }) => id === session.id);
  const kept = former === undefined ? session : { ...former, title: former.title || session.title };
  write(shelf, [kept, ...known.filter(({ id }) => id !== session.id)]);
}

export function forget(shelf: Shelf, id: string): void {
  write(
    shelf,
    knownSessions(shelf).filter((one) => one.id !== id),
  );
}

function write(shelf: Shelf, sessions: readonly KnownSession[]): void {
  try {
    const newest = sessions.toSorted((a, b) => b.at - a.at).slice(0, KNOWN_MAX);
    shelf.setItem(KEY, JSON.stringify(newest));
  } catch {
    // Storage is full or off: the conversation goes on without a list.
  }
}

function isKnownSession(value: unknown): value is KnownSession {
  if (typeof value !== 'object' || value === null) return false;
  const { id, title, at } = value as Partial<Record<keyof KnownSession, unknown>>;
  return typeof id === 'string' && typeof title === 'string' && typeof at === 'number';
}
