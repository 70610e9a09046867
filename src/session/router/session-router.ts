/**
 * The directory: the way to a session, whether it lives here or elsewhere.
 *
 *  D1  An input ends in exactly one place: this instance's actor, or the session's inbox.
 *  D2  A client that comes here is served here at once where the owner has nothing under way; else it follows the
 *      session's log from here and its input goes through the inbox.
 *
 * Read next: localSessions.ts (who lives here), messages.ts (what instances say to each other), repair.ts (when one
 * was away).
 */
import { accessOf } from '../../../machines/access.ts';
import type { SessionEvent, SessionInput, SessionLimits } from '../../../machines/vocabulary.ts';
import type { Archive } from '../../archive/archive.ts';
import type { Clock } from '../../clock.ts';
import type { PromptBuilder } from '../../conversation/port.ts';
import { type ErrorCode, isErrorCode } from '../../errors.ts';
import type { Generator } from '../../generation/port.ts';
import type { DiscardOutcome, Store } from '../../store/contract.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { ActorHost, StopReason } from '../actor/actor-host.ts';
import type { SessionActor } from '../actor/session-actor.ts';
import { UserQuota } from '../actor/user-quota.ts';
import { InstanceMessages } from '../cluster/instance-messages.ts';
import type { Membership } from '../cluster/membership.ts';
import type { InstanceMessage } from '../cluster/signals.ts';
import { type Outcome, refused } from '../machine/outcome.ts';
import { type AttachmentRepairPorts, detachDeadInstances, reattach } from './attachment-repair.ts';
import type { DeliveryPort } from './delivery-port.ts';
import { type Origin, writeInboxEntry } from './inbox.ts';
import { LocalSessions } from './local-sessions.ts';
import { type InboxPorts, openInboxEntry } from './passed-input.ts';
import { readView, type SessionView, viewOf } from './session-view.ts';
import { unreadableLog } from './unreadable-log.ts';

export interface SessionRouterOptions {
  readonly instance: string;
  readonly store: Store;
  readonly generator: Generator;
  readonly conversation: PromptBuilder;
  readonly archive: Archive | null;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly membership: Membership;
  readonly limits: SessionLimits;
  readonly leaseMs: number;
  /** An actor with nothing under way for this long is put to sleep. */
  readonly hibernateMs: number;
  readonly flushMs: number;
  readonly flushLength: number;
  readonly sessionsMax: number;
  /** Living sessions of one user, over all instances; 0: without bound. */
  readonly sessionsPerUserMax: number;
}

export interface AttachRequest {
  readonly clientId?: string;
  readonly userId?: string;
  readonly diagnosisId?: string;
  /** A picture as `patientFromChat` makes it. */
  readonly patient?: Readonly<Record<string, unknown>>;
  readonly addsOnly?: boolean;
}

export type AttachOutcome =
  | { readonly kind: 'attached'; readonly view: SessionView }
  | { readonly kind: 'refused'; readonly code: ErrorCode };

/** How often an input may find the actor gone or the lock just freed before we say so. */
const TRIES = 8;
/** Between a lock being taken and its holder's name being known lies one round trip. */
const CLAIM_PAUSE_MS = 20;

export class SessionRouter {
  readonly #options: SessionRouterOptions;
  readonly #localSessions: LocalSessions;
  readonly #messages: InstanceMessages;
  #delivery: DeliveryPort | null = null;
  #repair: AttachmentRepairPorts | null = null;
  #inFlight = 0;
  #stopTick: (() => void) | null = null;

  constructor(options: SessionRouterOptions) {
    this.#options = options;
    const { metrics } = options;
    const input: InboxPorts = {
      ...options,
      refuseHere: (...refused) => this.#delivery?.refuse(...refused),
      tell: (instance, signal) => this.#messages.tell(instance, signal),
    };
    const host: ActorHost = {
      ...options,
      deliver: (sessionId, frames) => this.#delivery?.deliver(sessionId, frames),
      openInboxEntry: (sessionId, entry) => openInboxEntry(input, sessionId, entry),
      stopped: (actor, reason) => this.#stopped(actor, reason),
      committed: (_, frames) => metrics.committed(frames),
      appended: (_, frames) => metrics.appended(frames),
      storeFailed: (actor, error) => {
        metrics.storeFailed();
        options.log.warn({ sessionId: actor.sessionId, err: error }, 'store did not answer a write');
      },
      unreadable: unreadableLog(options.log),
    };
    this.#messages = new InstanceMessages(options.store, options.clock, options.instance);
    this.#localSessions = new LocalSessions({
      host,
      sessionsMax: options.sessionsMax,
      quota: new UserQuota(options.store, options.sessionsPerUserMax),
      hibernateMs: options.hibernateMs,
      opened: (actor, created) => {
        metrics.opened(created);
        if (!created && this.#repair !== null) void detachDeadInstances(actor, this.#repair);
      },
      failed: (error) => {
        metrics.storeFailed();
        this.#log(error, 'session could not be opened');
      },
    });
  }

  async start(delivery: DeliveryPort): Promise<void> {
    this.#delivery = delivery;
    const { clock, leaseMs, membership } = this.#options;
    const repair: AttachmentRepairPorts = {
      ...this.#options,
      delivery,
      isResident: (sessionId) => this.actor(sessionId) !== null,
      view: (sessionId) => this.view(sessionId),
      send: (sessionId, event) => this.send(sessionId, event, null),
    };
    this.#repair = repair;
    membership.onReturn(() => void reattach(repair));
    await this.#messages.start((signal) => {
      this.#onSignal(signal, delivery).catch((error: unknown) => this.#log(error, 'signal failed'));
    });
    const tick = () => {
      this.#localSessions.maintain();
      this.#stopTick = clock.after(leaseMs / 6, tick);
    };
    tick();
  }

  get size(): number {
    return this.#localSessions.size;
  }

  actor(sessionId: string): SessionActor | null {
    return this.#localSessions.get(sessionId);
  }

  /** Opens or resumes a session for a client of this instance. */
  async attach(sessionId: string, visitor: AttachRequest): Promise<AttachOutcome> {
    const { instance, clock } = this.#options;
    const event: SessionEvent = { type: 'attach', at: clock.now(), instance, ...visitor };
    let asked = false;
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const opened = await this.#localSessions.open(sessionId, this.#inputFor(sessionId, visitor));
      if (opened.kind === 'refused') return opened;
      if (opened.kind === 'absent') continue;
      if (opened.kind === 'held') {
        if (opened.instance === null) {
          await this.#pause(CLAIM_PAUSE_MS);
          continue;
        }
        if (!asked && opened.instance !== instance) {
          asked = true;
          if (await this.#messages.askRelease(sessionId, opened.instance)) continue;
        }
        const followed = await this.#follow(sessionId, event);
        if (followed !== null) return followed;
        continue;
      }
      if (!opened.created) {
        const outcome = await opened.actor.send(event);
        if (outcome.kind === 'untaken') continue;
        if (outcome.kind === 'refused') return outcome;
      }
      return { kind: 'attached', view: viewOf(opened.actor, opened.created) };
    }
    return { kind: 'refused', code: 'session_moved' };
  }

  /** Brings an input to the session, wherever its owner is. */
  async send(sessionId: string, event: SessionEvent, origin: Origin | null): Promise<Outcome> {
    this.#inFlight += 1;
    try {
      return await this.#sendTo(sessionId, event, origin);
    } finally {
      this.#inFlight -= 1;
    }
  }

  async #sendTo(sessionId: string, event: SessionEvent, origin: Origin | null): Promise<Outcome> {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const opened = await this.#localSessions.open(sessionId, null);
      switch (opened.kind) {
        case 'refused':
          return opened;
        case 'absent':
          return refused('session_not_found');
        case 'resident': {
          const outcome = await opened.actor.send(event);
          if (outcome.kind !== 'untaken') return outcome;
          break;
        }
        case 'held':
          return this.#pass(sessionId, event, origin);
      }
    }
    return refused('session_moved');
  }

  /** Deletes a session that no owner can end, because what is stored of it cannot be read. */
  async discard(sessionId: string): Promise<DiscardOutcome> {
    await this.actor(sessionId)?.release(true);
    return this.#options.store.discard(sessionId);
  }

  /** Makes a session live here if it can be: its timers, its inbox and its turn then go on by themselves. */
  async wake(sessionId: string): Promise<void> {
    await this.#localSessions.open(sessionId, null);
  }

  /** Sessions with a turn under way, and inputs on their way. */
  get busy(): number {
    return (
      this.#inFlight +
      this.#localSessions.all().filter((actor) => actor.snapshot.context.turn !== null).length
    );
  }

  /** Lets go of what is quiet: what its clients say next is for an instance that stays. */
  leaveQuiet(): void {
    for (const actor of this.#localSessions.all()) if (actor.quiet) void actor.release();
  }

  /** Gives every session up; a running turn goes to another instance with what is stored of it. Resolves with how many did. */
  async leave(): Promise<number> {
    const { membership, instance } = this.#options;
    const others = membership.living.filter((member) => member !== instance);
    const running = this.#localSessions.all().filter((actor) => actor.snapshot.context.turn !== null);
    const handOver = async (actor: SessionActor, index: number): Promise<void> => {
      await actor.release(true);
      // At once: until its heir knows, nobody goes on with the turn.
      const heir = others[index % others.length];
      const { sessionId } = actor;
      if (heir !== undefined) this.#messages.tell(heir, { kind: 'inbox', sessionId });
    };
    await Promise.all(running.map(handOver));
    await Promise.all(this.#localSessions.all().map((actor) => actor.release(true)));
    return running.length;
  }

  stop(): void {
    this.#stopTick?.();
  }

  #inputFor(sessionId: string, visitor: AttachRequest): SessionInput {
    return {
      at: this.#options.clock.now(),
      sessionId,
      instance: this.#options.instance,
      clientId: visitor.clientId ?? null,
      userId: visitor.userId ?? null,
      diagnosisId: visitor.diagnosisId ?? null,
      patient: visitor.patient ?? {},
      limits: this.#options.limits,
    };
  }

  async #pass(sessionId: string, event: SessionEvent, origin: Origin | null): Promise<Outcome> {
    const { store, instance } = this.#options;
    try {
      const pushed = await store.push(sessionId, writeInboxEntry({ event, origin }));
      if (pushed.kind === 'absent') return refused('session_not_found');
      if (pushed.kind === 'full') return refused('overloaded');
      if (pushed.owner === null || pushed.owner === instance) await this.#localSessions.open(sessionId, null);
      else await this.#messages.send(pushed.owner, { kind: 'inbox', sessionId });
      return { kind: 'passed' };
    } catch (error) {
      this.#log(error, 'input could not be passed on');
      return refused('store_unavailable');
    }
  }

  /** The session stays where it is; our client follows its log from here. Null where it is gone meanwhile. */
  async #follow(sessionId: string, event: SessionEvent): Promise<AttachOutcome | null> {
    const before = await this.view(sessionId).catch(() => undefined);
    if (before === undefined) return { kind: 'refused', code: 'store_unavailable' };
    if (before === null) return null;
    if (event.type === 'attach' && accessOf(before.context, event.userId, event.at) === 'none')
      return { kind: 'refused', code: 'forbidden' };
    const passed = await this.#pass(sessionId, event, null);
    if (passed.kind === 'refused') return passed.code === 'session_not_found' ? null : passed;
    const view = await this.view(sessionId).catch(() => undefined);
    if (view === undefined) return { kind: 'refused', code: 'store_unavailable' };
    if (view === null) return null;
    // Access may have been taken back between the two looks.
    if (event.type === 'attach' && accessOf(view.context, event.userId, event.at) === 'none')
      return { kind: 'refused', code: 'forbidden' };
    // The arrival waits in the inbox: it will be stored as a later version than any that stands now.
    return { kind: 'attached', view: { ...view, version: view.version + 1 } };
  }

  /** The session as it is stored, whoever owns it; null where there is none. Rejects when the store does. */
  view(sessionId: string): Promise<SessionView | null> {
    return readView(this.#options.store, sessionId);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resume) => this.#options.clock.after(ms, resume));
  }

  async #onSignal(signal: InstanceMessage, delivery: DeliveryPort): Promise<void> {
    const { sessionId } = signal;
    switch (signal.kind) {
      case 'release': {
        const actor = this.actor(sessionId);
        const released = actor === null ? !this.#localSessions.has(sessionId) : await actor.release();
        return this.#messages.send(signal.from, { kind: released ? 'released' : 'kept', sessionId });
      }
      case 'inbox': {
        // While it is being opened here, what was pushed is not in what the claim has read.
        const opened = await this.#localSessions.open(sessionId, null);
        return opened.kind === 'resident' ? opened.actor.drainInbox() : undefined;
      }
      case 'refused': {
        const code = isErrorCode(signal.code) ? signal.code : 'internal';
        return delivery.refuse(sessionId, signal.connection, code, signal.messageId);
      }
      case 'replaced':
        return delivery.replace(sessionId, signal.clientId, signal.version);
      case 'released':
      case 'kept':
        return;
    }
  }

  /** Tells other instances that hold a socket of this client to let it go. */
  replaceElsewhere(sessionId: string, clientId: string, { context, version }: SessionView): void {
    for (const instance of context.attached)
      if (instance !== this.#options.instance)
        this.#messages.tell(instance, { kind: 'replaced', sessionId, clientId, version });
  }

  #stopped(actor: SessionActor, reason: StopReason): void {
    this.#localSessions.remove(actor);
    this.#options.metrics.stopped(reason);
    if (reason !== 'ended' && reason !== 'released')
      this.#options.log.warn({ sessionId: actor.sessionId, reason }, 'session actor stopped');
    this.#delivery?.left(actor.sessionId, reason);
  }

  #log(error: unknown, message: string): void {
    this.#options.log.warn({ err: error }, message);
  }
}
