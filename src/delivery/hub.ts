/**
 * The hub: committed frames → the sockets of this instance.
 *
 * Where the session's actor lives here it offers each frame as it is stored. Where it does not, the store's hints say
 * that something moved and each subscription reads the log from its own cursor. Both end in the same place, so a
 * session can change hands without its sockets noticing.
 *
 *  H1  The store is watched before the log is read the first time: what happens in between is hinted.
 *  H2  A hint may be lost. While a turn runs elsewhere, its followers look by themselves now and then, and who was
 *      invited always does: that an invitation was taken back must be learnt. Else, of a quiet session nobody asks.
 */

import type { Clock } from '../clock.ts';
import type { ErrorCode } from '../errors.ts';
import type { StopReason } from '../session/actor/actor-host.ts';
import type { DeliveryPort } from '../session/router/delivery-port.ts';
import { readView } from '../session/router/session-view.ts';
import type { Store, StoredFrame } from '../store/contract.ts';
import type { ClientConnection } from './client-connection.ts';
import { type Reader, Subscription, type SubscriptionPorts } from './subscription.ts';

export interface HubOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly reset: SubscriptionPorts['reset'];
  readonly isResident: (sessionId: string) => boolean;
  /** How often followers of a running turn look without a hint. */
  readonly lookMs: number;
}

interface Attendance {
  readonly subscriptions: Set<Subscription>;
}

export class Hub implements DeliveryPort {
  readonly #options: HubOptions;
  readonly #ports: SubscriptionPorts;
  readonly #sessions = new Map<string, Attendance>();
  #stopLooking: (() => void) | null = null;

  constructor(options: HubOptions) {
    this.#options = options;
    const { store, clock, reset } = options;
    this.#ports = {
      store,
      reset,
      createdAt: async (sessionId) => (await readView(store, sessionId))?.context.createdAt ?? null,
      pause: (ms) => new Promise((resume) => clock.after(ms, resume)),
    };
    store.onHint((hint) => {
      const attendance = this.#sessions.get(hint.sessionId);
      if (attendance === undefined) return;
      if (hint.kind === 'ended') this.#finish(hint.sessionId, hint.frames);
      else if (!options.isResident(hint.sessionId)) this.#pull(attendance);
    });
    const look = () => {
      for (const [sessionId, { subscriptions }] of this.#sessions) {
        if (options.isResident(sessionId)) continue;
        for (const subscription of subscriptions)
          if (subscription.turnRuns || subscription.isInvited) subscription.pull();
      }
      this.#stopLooking = clock.after(options.lookMs, look);
    };
    this.#stopLooking = clock.after(options.lookMs, look);
  }

  get sessions(): Iterable<string> {
    return this.#sessions.keys();
  }

  /** Somebody here reads a session. */
  get isAttended(): boolean {
    return this.#sessions.size > 0;
  }

  async add(sessionId: string, outlet: ClientConnection, reader: Reader): Promise<Subscription> {
    const subscription = new Subscription(sessionId, outlet, reader, this.#ports);
    let attendance = this.#sessions.get(sessionId);
    if (attendance === undefined) {
      attendance = { subscriptions: new Set() };
      this.#sessions.set(sessionId, attendance);
    }
    attendance.subscriptions.add(subscription);
    try {
      await this.#options.store.watch(sessionId);
    } catch (error) {
      this.remove(subscription);
      throw error;
    }
    return subscription;
  }

  /** Takes a place away; says who left this instance with it. */
  remove(subscription: Subscription): 'session' | 'user' | 'nobody' {
    subscription.drop();
    const { sessionId, userId } = subscription;
    const attendance = this.#sessions.get(sessionId);
    if (attendance === undefined || !attendance.subscriptions.delete(subscription)) return 'nobody';
    if (attendance.subscriptions.size === 0) {
      this.#sessions.delete(sessionId);
      this.#options.store.unwatch(sessionId);
      return 'session';
    }
    const others = [...attendance.subscriptions];
    return userId === null || others.some((one) => one.userId === userId) ? 'nobody' : 'user';
  }

  hasSockets(sessionId: string): boolean {
    return this.#sessions.has(sessionId);
  }

  deliver(sessionId: string, frames: readonly StoredFrame[]): void {
    for (const subscription of this.#sessions.get(sessionId)?.subscriptions ?? []) subscription.offer(frames);
    if (frames.some((frame) => frame.data.startsWith('{"type":"expired"'))) this.#finish(sessionId, frames);
  }

  refuse(sessionId: string, connectionId: string, code: ErrorCode, messageId?: string): void {
    for (const { connection } of this.#sessions.get(sessionId)?.subscriptions ?? [])
      if (connection.id === connectionId) connection.refuse(code, messageId);
  }

  /** The client arrived elsewhere at `version`; a word that comes late must not end a connection that came after. */
  replace(sessionId: string, clientId: string, version: number): void {
    this.#replace(sessionId, clientId, (one) => one.arrivedAt < version);
  }

  /** The client arrived here again. */
  replaceBy(newer: Subscription, clientId: string): void {
    // In the order of their hellos, which is not that in which they are answered.
    let before = true;
    this.#replace(newer.sessionId, clientId, (one) => {
      if (one === newer) before = false;
      return before;
    });
  }

  #replace(sessionId: string, clientId: string, isOlder: (one: Subscription) => boolean): void {
    for (const subscription of this.#sessions.get(sessionId)?.subscriptions ?? [])
      if (subscription.clientId === clientId && isOlder(subscription)) subscription.end('replaced');
  }

  left(sessionId: string, reason: StopReason): void {
    const attendance = this.#sessions.get(sessionId);
    if (attendance === undefined) return;
    if (reason === 'fenced' || reason === 'conflict') this.#sendAway(attendance, 'session_moved');
    else if (reason !== 'ended') this.#pull(attendance);
  }

  catchUp(sessionId: string): void {
    const attendance = this.#sessions.get(sessionId);
    if (attendance !== undefined) this.#pull(attendance);
  }

  end(sessionId: string, code: ErrorCode): void {
    const attendance = this.#sessions.get(sessionId);
    if (attendance !== undefined) this.#sendAway(attendance, code);
  }

  endAll(code: ErrorCode): void {
    for (const attendance of this.#sessions.values()) this.#endAll(attendance, code);
  }

  stop(): void {
    this.#stopLooking?.();
  }

  #endAll(attendance: Attendance, code: ErrorCode): void {
    for (const subscription of attendance.subscriptions) subscription.end(code);
  }

  #sendAway(attendance: Attendance, code: ErrorCode): void {
    for (const subscription of attendance.subscriptions) subscription.sendAway(code);
  }

  #pull(attendance: Attendance): void {
    for (const subscription of attendance.subscriptions) subscription.pull();
  }

  #finish(sessionId: string, frames: readonly StoredFrame[]): void {
    const last = frames.at(-1);
    const closed = last?.data.includes('"reason":"closed"') === true;
    for (const subscription of this.#sessions.get(sessionId)?.subscriptions ?? [])
      subscription.finish(frames, closed ? 'closed' : 'session_expired');
  }
}
