/**
 * The sessions whose actors live on this instance.
 *
 *  N1  At most one actor per session: opening is single-flight, and who comes meanwhile gets the same one.
 *  N2  What is busy keeps its lease; what is quiet is put to sleep and its lock released. Its sockets stay.
 */
import type { SessionInput } from '../../../machines/vocabulary.ts';
import type { ActorHost } from '../actor/actor-host.ts';
import { type LoadedSession, loadSession } from '../actor/load.ts';
import type { SessionActor } from '../actor/session-actor.ts';
import type { UserQuota } from '../actor/user-quota.ts';

type Place =
  | { readonly kind: 'opening'; readonly opened: Promise<LoadedSession> }
  | { readonly kind: 'resident'; readonly actor: SessionActor };

export interface LocalSessionsOptions {
  readonly host: ActorHost;
  readonly sessionsMax: number;
  readonly quota: UserQuota;
  readonly hibernateMs: number;
  readonly opened: (actor: SessionActor, created: boolean) => void;
  readonly failed: (error: unknown) => void;
}

export class LocalSessions {
  readonly #options: LocalSessionsOptions;
  readonly #places = new Map<string, Place>();

  constructor(options: LocalSessionsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#places.size;
  }

  get(sessionId: string): SessionActor | null {
    const place = this.#places.get(sessionId);
    return place?.kind === 'resident' ? place.actor : null;
  }

  /** True while the session lives here or is about to. */
  has(sessionId: string): boolean {
    return this.#places.has(sessionId);
  }

  all(): readonly SessionActor[] {
    return [...this.#places.values()].flatMap((place) => (place.kind === 'resident' ? [place.actor] : []));
  }

  async open(sessionId: string, create: SessionInput | null): Promise<LoadedSession> {
    const place = this.#places.get(sessionId);
    if (place?.kind === 'resident') return { kind: 'resident', actor: place.actor, created: false };
    if (place?.kind === 'opening') {
      const opened = await place.opened;
      // Who joins an opening did not create the session, and may find it absent where it would have made it. That the
      // opener has too many sessions means for others that there is none.
      const isAbsent =
        opened.kind === 'absent' || (opened.kind === 'refused' && opened.code === 'too_many_sessions');
      if (isAbsent) return create === null ? { kind: 'absent' } : this.open(sessionId, create);
      return opened.kind === 'resident' ? { ...opened, created: false } : opened;
    }
    if (this.#places.size >= this.#options.sessionsMax) return { kind: 'refused', code: 'overloaded' };
    const opened = this.#openNew(sessionId, create);
    this.#places.set(sessionId, { kind: 'opening', opened });
    // A promise that is only returned is waited for a turn later, after who joined us meanwhile.
    return await opened;
  }

  remove(actor: SessionActor): void {
    if (this.get(actor.sessionId) === actor) this.#places.delete(actor.sessionId);
  }

  /** Renews what is busy, puts to sleep what is quiet. */
  maintain(): void {
    const { host, hibernateMs } = this.#options;
    const nowMs = host.clock.monotonicMs();
    for (const actor of this.all()) {
      if (actor.quiet && nowMs - actor.lastActiveMs >= hibernateMs) void actor.release();
      else if (actor.needsRenewal) actor.renew();
    }
  }

  async #openNew(sessionId: string, create: SessionInput | null): Promise<LoadedSession> {
    let opened: LoadedSession;
    try {
      opened = await loadSession(this.#options.host, sessionId, create, this.#options.quota);
    } catch (error) {
      this.#options.failed(error);
      opened = { kind: 'refused', code: 'store_unavailable' };
    }
    if (opened.kind !== 'resident' || opened.actor.stopped) {
      this.#places.delete(sessionId);
      return opened;
    }
    this.#places.set(sessionId, { kind: 'resident', actor: opened.actor });
    this.#options.opened(opened.actor, opened.created);
    return opened;
  }
}
