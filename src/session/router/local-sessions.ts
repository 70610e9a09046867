/**
 * LocalSessions holds the sessions whose actors run on this instance.
 *
 *  LOCAL-1  A session has at most one actor here: loading is single-flight, and callers meanwhile share the one load.
 *  LOCAL-2  `maintain` renews the lease of a busy session and releases a quiet one, whose sockets stay open.
 */
import type { LoadedSession, NewSession } from '../actor/load.ts';
import type { SessionActor } from '../actor/session-actor.ts';

type LocalSession =
  | { readonly kind: 'loading'; readonly loaded: Promise<LoadedSession> }
  | { readonly kind: 'live'; readonly actor: SessionActor };

/** Never rejects. */
export type Load = (sessionId: string, input: NewSession | null) => Promise<LoadedSession>;

export class LocalSessions {
  readonly #sessionsMax: number;
  readonly #sessions = new Map<string, LocalSession>();

  constructor(sessionsMax: number) {
    this.#sessionsMax = sessionsMax;
  }

  get size(): number {
    return this.#sessions.size;
  }

  get(sessionId: string): SessionActor | null {
    const session = this.#sessions.get(sessionId);
    return session?.kind === 'live' ? session.actor : null;
  }

  /** True while the session lives here or is being loaded. */
  has(sessionId: string): boolean {
    return this.#sessions.has(sessionId);
  }

  all(): readonly SessionActor[] {
    return [...this.#sessions.values()].flatMap((one) => (one.kind === 'live' ? [one.actor] : []));
  }

  /** Sessions with a turn under way. */
  running(): readonly SessionActor[] {
    return this.all().filter((actor) => actor.snapshot.context.turn !== null);
  }

  /** `input` begins a new session; null: open only an existing one. */
  async open(sessionId: string, input: NewSession | null, load: Load): Promise<LoadedSession> {
    const session = this.#sessions.get(sessionId);
    if (session?.kind === 'live') return { kind: 'loaded', actor: session.actor, created: false };
    if (session?.kind === 'loading') {
      const loaded = await session.loaded;
      // A caller that shares a load did not create the session. If that load found none, this caller may still create it.
      // Another user's limit refuses that user alone: for this caller the session does not exist.
      const isAbsent =
        loaded.kind === 'absent' || (loaded.kind === 'refused' && loaded.code === 'too_many_sessions');
      if (isAbsent) return input === null ? { kind: 'absent' } : this.open(sessionId, input, load);
      return loaded.kind === 'loaded' ? { ...loaded, created: false } : loaded;
    }
    if (this.#sessions.size >= this.#sessionsMax) return { kind: 'refused', code: 'overloaded' };
    const loaded = this.#load(sessionId, input, load);
    this.#sessions.set(sessionId, { kind: 'loading', loaded });
    // Without this await the callers that share the load would resolve first.
    return await loaded;
  }

  /** Forgets the actor of this epoch; a later actor of the session stays. */
  remove(sessionId: string, epoch: number): void {
    if (this.get(sessionId)?.epoch === epoch) this.#sessions.delete(sessionId);
  }

  /** LOCAL-2 */
  maintain(nowMs: number, hibernateMs: number): void {
    for (const actor of this.all()) {
      if (actor.quiet && nowMs - actor.lastActiveMs >= hibernateMs) void actor.release();
      else if (actor.needsRenewal) actor.renew();
    }
  }

  async #load(sessionId: string, input: NewSession | null, load: Load): Promise<LoadedSession> {
    const loaded = await load(sessionId, input);
    if (loaded.kind === 'loaded' && !loaded.actor.stopped)
      this.#sessions.set(sessionId, { kind: 'live', actor: loaded.actor });
    else this.#sessions.delete(sessionId);
    return loaded;
  }
}
