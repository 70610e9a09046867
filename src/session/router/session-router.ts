/**
 * SessionRouter routes input to a session, on this instance or on another.
 *
 *  ROUTER-1  An input ends in exactly one place: this instance's actor, or the session's inbox.
 *  ROUTER-2  If the owner has nothing under way, the session moves to the instance that the client reaches. Otherwise the
 *            client follows the session's log from here, and its input goes through the inbox.
 *  ROUTER-3  A client moves a session only if it may enter: a stranger with an id could slow down its owner.
 *
 * Read next: local-sessions.ts (what lives here), inbox.ts (input for another owner), ../cluster/instance-messages.ts
 * (messages between instances), attachment-repair.ts (after an instance died).
 */
import { mayNotSend } from '../../../machines/access.ts';
import { tenantField } from '../../../machines/tenant.ts';
import type {
  AttachRequest,
  SessionContext,
  SessionEvent,
  SessionInput,
  SessionLimits,
} from '../../../machines/vocabulary.ts';
import { type ErrorCode, isErrorCode } from '../../errors.ts';
import type { DiscardOutcome } from '../../store/contract.ts';
import type { LoadedSession, NewSession } from '../actor/load.ts';
import type { SessionActor } from '../actor/session-actor.ts';
import { type InstanceMessage, InstanceMessages } from '../cluster/instance-messages.ts';
import type { Membership } from '../cluster/membership.ts';
import { type Outcome, refused } from '../machine/outcome.ts';
import { type AttachmentRepairPorts, detachDeadInstances, reattach } from './attachment-repair.ts';
import type { ReplacingClient } from './delivery-port.ts';
import { type Origin, writeInboxEntry } from './inbox.ts';
import type { LocalSessions } from './local-sessions.ts';
import { type LoaderOptions, SessionLoader } from './session-loader.ts';
import { readView, type SessionView, viewOf } from './session-view.ts';

export interface SessionRouterOptions extends LoaderOptions {
  readonly membership: Membership;
  readonly limits: SessionLimits;
  /** The instance releases a session with nothing under way for this long. */
  readonly hibernateMs: number;
}

type AttachEvent = Extract<SessionEvent, { readonly type: 'attach' }>;

export type AttachOutcome =
  | { readonly kind: 'attached'; readonly view: SessionView }
  /** `isPassed`: the owner may have taken the client before it was refused. */
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly isPassed?: true };

export type CreateOutcome =
  /** `context` is that of the stored session, which may be older than the request. */
  | { readonly kind: 'stored'; readonly created: boolean; readonly context: SessionContext }
  | { readonly kind: 'refused'; readonly code: ErrorCode };

/** How often an input may find that the actor stopped or the lock was just freed. */
const ATTEMPTS_MAX = 8;
/** Wait for a lock whose holder is unknown: the reply to its claim was lost, and the holder is removing it. */
const CLAIM_PAUSE_MS = 20;

export class SessionRouter {
  readonly #options: SessionRouterOptions;
  readonly #localSessions: LocalSessions;
  readonly #messages: InstanceMessages;
  readonly #loader: SessionLoader;
  readonly #repair: AttachmentRepairPorts;
  #inFlight = 0;
  #stopMaintenance: (() => void) | null = null;

  constructor(options: SessionRouterOptions) {
    const { instance, store, clock } = options;
    this.#options = options;
    this.#localSessions = options.localSessions;
    this.#messages = new InstanceMessages(store, clock, instance);
    this.#repair = {
      ...options,
      isLocal: (sessionId) => this.actor(sessionId) !== null,
      view: (sessionId) => this.view(sessionId),
      send: (sessionId, event) => this.send(sessionId, event, null),
    };
    this.#loader = new SessionLoader(options, this.#messages, (actor) => {
      void detachDeadInstances(actor, this.#repair);
    });
  }

  async start(): Promise<void> {
    const { clock, leaseMs, hibernateMs, membership } = this.#options;
    membership.onReturn(() => void reattach(this.#repair));
    await this.#messages.start((message) => {
      this.#onMessage(message).catch((error: unknown) => this.#warn(error, 'instance message failed'));
    });
    const maintain = () => {
      this.#localSessions.maintain(clock.monotonicMs(), hibernateMs);
      this.#stopMaintenance = clock.after(leaseMs / 6, maintain);
    };
    maintain();
  }

  stop(): void {
    this.#stopMaintenance?.();
  }

  actor(sessionId: string): SessionActor | null {
    return this.#localSessions.get(sessionId);
  }

  /** The stored session, whichever instance owns it; null if there is none. Rejects when the store does. */
  view(sessionId: string): Promise<SessionView | null> {
    return readView(this.#options.store, sessionId);
  }

  /** Resumes a session for a client of this instance; creates it if there is none and the client may. */
  async attach(sessionId: string, request: AttachRequest, mayCreate: boolean): Promise<AttachOutcome> {
    const { instance, clock } = this.#options;
    const event: AttachEvent = { type: 'attach', at: clock.now(), instance, ...request };
    let hasAsked = false;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const opened = await this.#open(sessionId, mayCreate ? this.#inputOf(sessionId, request) : null);
      switch (opened.kind) {
        case 'refused':
          return opened;
        case 'absent':
          if (!mayCreate) return { kind: 'refused', code: 'session_not_found' };
          continue;
        case 'loaded': {
          if (!opened.created) {
            const outcome = await opened.actor.send(event);
            if (outcome.kind === 'untaken') continue;
            if (outcome.kind === 'refused') return outcome;
          }
          return { kind: 'attached', view: viewOf(opened.actor, opened.created) };
        }
        case 'held': {
          if (opened.instance === null) {
            await this.#pause(CLAIM_PAUSE_MS);
            continue;
          }
          if (!hasAsked && opened.instance !== instance) {
            hasAsked = true;
            // ROUTER-3
            const admitted = await this.#admit(sessionId, event);
            if (admitted?.kind === 'refused') return admitted;
            if (await this.#messages.askRelease(sessionId, opened.instance)) continue;
          }
          const followed = await this.#follow(sessionId, event);
          if (followed !== null) return followed;
        }
      }
    }
    return { kind: 'refused', code: 'session_moved' };
  }

  /** Routes an input to the session's owner. The answer of another instance goes to the `origin` connection. */
  async send(sessionId: string, event: SessionEvent, origin: Origin | null): Promise<Outcome> {
    this.#inFlight += 1;
    try {
      const outcome = await this.actor(sessionId)?.send(event);
      if (outcome !== undefined && outcome.kind !== 'untaken') return outcome;
      for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        const opened = await this.#open(sessionId, null);
        switch (opened.kind) {
          case 'refused':
            return opened;
          case 'absent':
            return refused('session_not_found');
          case 'held':
            return await this.#pass(sessionId, event, origin);
          case 'loaded': {
            const outcome = await opened.actor.send(event);
            if (outcome.kind !== 'untaken') return outcome;
          }
        }
      }
      return refused('session_moved');
    } finally {
      this.#inFlight -= 1;
    }
  }

  /** Creates a session that no client has reached yet, unless it exists. */
  async create(seed: Omit<NewSession, 'at' | 'instance' | 'limits'>): Promise<CreateOutcome> {
    const { clock, instance, limits } = this.#options;
    const { sessionId } = seed;
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      const opened = await this.#open(sessionId, { ...seed, at: clock.now(), instance, limits });
      if (opened.kind === 'refused') return opened;
      if (opened.kind === 'loaded')
        return { kind: 'stored', created: opened.created, context: opened.actor.snapshot.context };
      // The other instance may only be about to store it, and may fail or refuse.
      const view = await this.view(sessionId).catch(() => undefined);
      if (view === undefined) return { kind: 'refused', code: 'store_unavailable' };
      if (view !== null) return { kind: 'stored', created: false, context: view.context };
      await this.#pause(CLAIM_PAUSE_MS * attempt);
    }
    return { kind: 'refused', code: 'session_moved' };
  }

  /** Deletes a session that no owner can end, because its stored state cannot be read. */
  async discard(sessionId: string): Promise<DiscardOutcome> {
    await this.actor(sessionId)?.release(true);
    return this.#options.store.discard(sessionId);
  }

  /** Loads the session here if no instance owns it, so that its timers, inbox and turn continue. */
  async wake(sessionId: string): Promise<void> {
    await this.#open(sessionId, null);
  }

  /** Closes the client's sockets of the same user on other instances. */
  replaceElsewhere(
    sessionId: string,
    { clientId, userId }: ReplacingClient,
    { context, version }: SessionView,
  ): void {
    for (const instance of context.attached)
      if (instance !== this.#options.instance)
        this.#messages.notify(instance, { kind: 'replaced', sessionId, clientId, userId, version });
  }

  /** Closes the sockets without a user that other instances have: the session has an owner. */
  endUnnamedElsewhere(sessionId: string, { context, version }: SessionView): void {
    for (const instance of context.attached)
      if (instance !== this.#options.instance)
        this.#messages.notify(instance, { kind: 'owned', sessionId, version });
  }

  /** Sessions with a turn under way, and inputs on their way. */
  get busy(): number {
    return this.#inFlight + this.#localSessions.running().length;
  }

  /** Releases quiet sessions, so that their clients' next input goes to an instance that stays. */
  leaveQuiet(): void {
    for (const actor of this.#localSessions.all()) if (actor.quiet) void actor.release();
  }

  /** Releases every session. Another instance continues each running turn from its stored text. Resolves with their number. */
  async leave(): Promise<number> {
    const { membership, instance } = this.#options;
    const others = membership.living.filter((member) => member !== instance);
    const running = this.#localSessions.running();
    const handOver = async (actor: SessionActor, index: number): Promise<void> => {
      await actor.release(true);
      const nextOwner = others[index % others.length];
      const { sessionId } = actor;
      // Without this message the turn would rest until a sweeper finds it.
      if (nextOwner !== undefined) this.#messages.notify(nextOwner, { kind: 'inbox', sessionId });
    };
    await Promise.all(running.map(handOver));
    await Promise.all(this.#localSessions.all().map((actor) => actor.release(true)));
    return running.length;
  }

  #open(sessionId: string, input: NewSession | null): Promise<LoadedSession> {
    return this.#localSessions.open(sessionId, input, this.#loader.load);
  }

  #inputOf(sessionId: string, request: AttachRequest): SessionInput {
    const { clock, instance, limits } = this.#options;
    return {
      at: clock.now(),
      sessionId,
      instance,
      clientId: request.clientId ?? null,
      userId: request.userId ?? null,
      ...tenantField(request.tenant),
      diagnosisId: request.diagnosisId ?? null,
      patient: request.patient ?? {},
      limits,
    };
  }

  async #pass(sessionId: string, event: SessionEvent, origin: Origin | null): Promise<Outcome> {
    const { store, instance } = this.#options;
    try {
      const pushed = await store.push(sessionId, writeInboxEntry({ event, origin }));
      if (pushed.kind === 'absent') return refused('session_not_found');
      if (pushed.kind === 'full') return refused('overloaded');
      if (pushed.owner === null || pushed.owner === instance) await this.wake(sessionId);
      else await this.#messages.send(pushed.owner, { kind: 'inbox', sessionId });
      return { kind: 'passed' };
    } catch (error) {
      this.#warn(error, 'input could not be passed on');
      return refused('store_unavailable');
    }
  }

  /** The session stays with its owner; the client follows its log from here. Null if the session ended meanwhile. */
  async #follow(sessionId: string, event: AttachEvent): Promise<AttachOutcome | null> {
    const before = await this.#admit(sessionId, event);
    if (before?.kind !== 'attached') return before;
    const passed = await this.#pass(sessionId, event, null);
    if (passed.kind === 'refused') return passed.code === 'session_not_found' ? null : passed;
    // The owner may have taken the client's access back between the two reads.
    const after = await this.#admit(sessionId, event);
    if (after === null) return null;
    if (after.kind === 'refused') return { ...after, isPassed: true };
    // The attach event waits in the inbox: the owner will store it as a later version than today's.
    return { kind: 'attached', view: { ...after.view, version: after.view.version + 1 } };
  }

  /** The stored session, if its client may see it; null if there is none. */
  async #admit(sessionId: string, event: AttachEvent): Promise<AttachOutcome | null> {
    const view = await this.view(sessionId).catch(() => undefined);
    if (view === undefined) return { kind: 'refused', code: 'store_unavailable' };
    if (view === null) return null;
    if (mayNotSend(view.context, event)) return { kind: 'refused', code: 'forbidden' };
    return { kind: 'attached', view };
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resume) => this.#options.clock.after(ms, resume));
  }

  async #onMessage(message: InstanceMessage): Promise<void> {
    const { delivery } = this.#options;
    const { sessionId } = message;
    switch (message.kind) {
      case 'release': {
        const actor = this.actor(sessionId);
        const released = actor === null ? !this.#localSessions.has(sessionId) : await actor.release();
        return this.#messages.send(message.from, { kind: released ? 'released' : 'kept', sessionId });
      }
      case 'inbox': {
        // A load that is under way may have claimed the session before the entry was pushed.
        const opened = await this.#open(sessionId, null);
        return opened.kind === 'loaded' ? opened.actor.drainInbox() : undefined;
      }
      case 'refused': {
        const code = isErrorCode(message.code) ? message.code : 'internal';
        return delivery.refuse(sessionId, message.connection, code, message.messageId);
      }
      case 'extended': {
        const { connection, expiresAt, absoluteExpiresAt } = message;
        return delivery.extended(sessionId, connection, { expiresAt, absoluteExpiresAt });
      }
      case 'replaced':
        return delivery.replace(sessionId, message, message.version);
      case 'owned':
        return delivery.endUnnamed(sessionId, message.version);
      case 'released':
      case 'kept':
        return;
    }
  }

  #warn(error: unknown, message: string): void {
    this.#options.log.warn({ err: error }, message);
  }
}
