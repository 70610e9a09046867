/**
 * Hub delivers stored frames to the sockets of this instance.
 *
 * If the session's actor runs here, it offers each frame as it is stored. Otherwise the store hints that the log grew, and
 * each subscription reads the log from its own cursor. Both paths send the same frames, so a session can change owners
 * while its sockets stay open.
 *
 *  HUB-1  The hub watches a session in the store before it first reads the log, so the store hints every later frame.
 *  HUB-2  A hint may be lost. A follower of a running turn reads the log now and then without one, and so does an
 *         invited reader, who must learn that an invitation was withdrawn. A quiet session is not read.
 *  HUB-3  A client replaces older sockets of its client id only where they belong to the same user: client ids are no
 *         secret, and a guest must not end the owner's connection.
 *  HUB-4  A client without a user loses its connection when the session gets an owner: it may not come in again, and it
 *         must not read what the owner writes.
 */
import type { SessionEnds } from '../../machines/effects.ts';
import type { Clock } from '../clock.ts';
import type { ErrorCode } from '../errors.ts';
import type { StopReason } from '../session/actor/actor-host.ts';
import type { DeliveryPort, ReplacingClient } from '../session/router/delivery-port.ts';
import type { LocalSessions } from '../session/router/local-sessions.ts';
import { readView } from '../session/router/session-view.ts';
import type { Store, StoredFrame } from '../store/contract.ts';
import type { ClientConnection } from './client-connection.ts';
import { type Reader, Subscription, type SubscriptionPorts } from './subscription.ts';

export interface HubOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly reset: SubscriptionPorts['reset'];
  readonly localSessions: Pick<LocalSessions, 'get'>;
  /** Wait between two reads of followers without a hint. */
  readonly lookMs: number;
}

const NONE: readonly Subscription[] = [];

export class Hub implements DeliveryPort {
  readonly #options: HubOptions;
  readonly #ports: SubscriptionPorts;
  /** The lists are replaced, never changed: a subscription may leave while its list is read. */
  readonly #sessions = new Map<string, readonly Subscription[]>();
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
      if (!this.#sessions.has(hint.sessionId)) return;
      if (hint.kind === 'ended') this.#finish(hint.sessionId, hint.frames);
      else if (!this.#isLocal(hint.sessionId)) this.catchUp(hint.sessionId);
    });
    const look = () => {
      for (const [sessionId, subscriptions] of this.#sessions) {
        if (this.#isLocal(sessionId)) continue;
        for (const subscription of subscriptions)
          if (subscription.turnRuns || subscription.isInvited) subscription.pull(); // HUB-2
      }
      this.#stopLooking = clock.after(options.lookMs, look);
    };
    this.#stopLooking = clock.after(options.lookMs, look);
  }

  get sessions(): Iterable<string> {
    return this.#sessions.keys();
  }

  /** True while a client of this instance reads a session. */
  get isAttended(): boolean {
    return this.#sessions.size > 0;
  }

  /** Rejects when the store does; the subscription is then removed. */
  async add(sessionId: string, connection: ClientConnection, reader: Reader): Promise<Subscription> {
    const subscription = new Subscription(sessionId, connection, reader, this.#ports);
    this.#sessions.set(sessionId, [...this.#of(sessionId), subscription]);
    try {
      await this.#options.store.watch(sessionId); // HUB-1
    } catch (error) {
      this.remove(subscription);
      throw error;
    }
    return subscription;
  }

  /** Returns what left this instance with the subscription: its user, the whole session, or neither. */
  remove(subscription: Subscription): 'session' | 'user' | 'neither' {
    subscription.drop();
    const { sessionId, userId } = subscription;
    const subscriptions = this.#of(sessionId);
    const staying = subscriptions.filter((one) => one !== subscription);
    if (staying.length === subscriptions.length) return 'neither';
    if (staying.length === 0) {
      this.#sessions.delete(sessionId);
      this.#options.store.unwatch(sessionId);
      return 'session';
    }
    this.#sessions.set(sessionId, staying);
    for (const one of staying) one.hasOutlivedOther = true;
    const isUserHere = userId === null || staying.some((one) => one.userId === userId);
    return isUserHere ? 'neither' : 'user';
  }

  hasSockets(sessionId: string): boolean {
    return this.#sessions.has(sessionId);
  }

  deliver(sessionId: string, frames: readonly StoredFrame[]): void {
    for (const subscription of this.#of(sessionId)) subscription.offer(frames);
    if (frames.some(({ type }) => type === 'expired')) this.#finish(sessionId, frames);
  }

  refuse(sessionId: string, connectionId: string, code: ErrorCode, messageId?: string): void {
    for (const { connection } of this.#of(sessionId))
      if (connection.id === connectionId) connection.refuse(code, messageId);
  }

  extended(sessionId: string, connectionId: string, ends: SessionEnds): void {
    for (const { connection } of this.#of(sessionId))
      if (connection.id === connectionId) connection.extended?.(ends);
  }

  /** The client attached elsewhere at `version`. A message that comes late must not end a newer connection. */
  replace(sessionId: string, client: ReplacingClient, version: number): void {
    this.#replace(sessionId, client, (one) => one.arrivedAt < version);
  }

  /** The client attached here again. */
  replaceBy(newer: Subscription, clientId: string): void {
    // The later hello wins, whichever is answered first.
    let isOlder = true;
    this.#replace(newer.sessionId, { clientId, userId: newer.userId }, (one) => {
      if (one === newer) isOlder = false;
      return isOlder;
    });
  }

  /** HUB-4. A request that waits for the answer to its own question keeps waiting. */
  endUnnamed(sessionId: string, version: number): void {
    for (const one of this.#of(sessionId))
      if (one.userId === null && one.arrivedAt <= version && !one.isForOneTurn) one.end('forbidden');
  }

  left(sessionId: string, reason: StopReason): void {
    if (reason === 'fenced' || reason === 'conflict') this.end(sessionId, 'session_moved');
    else if (reason !== 'ended') this.catchUp(sessionId);
  }

  catchUp(sessionId: string): void {
    for (const subscription of this.#of(sessionId)) subscription.pull();
  }

  end(sessionId: string, code: ErrorCode): void {
    for (const subscription of this.#of(sessionId)) subscription.sendAway(code);
  }

  /** Ends the connections that only read. No drain waits for them. */
  endReaders(code: ErrorCode): void {
    for (const subscriptions of this.#sessions.values())
      for (const one of subscriptions) if (one.connection.onlyReads === true) one.end(code);
  }

  endAll(code: ErrorCode): void {
    for (const subscriptions of this.#sessions.values())
      for (const subscription of subscriptions) subscription.end(code);
  }

  stop(): void {
    this.#stopLooking?.();
  }

  #of(sessionId: string): readonly Subscription[] {
    return this.#sessions.get(sessionId) ?? NONE;
  }

  #isLocal(sessionId: string): boolean {
    return this.#options.localSessions.get(sessionId) !== null;
  }

  /** HUB-3 */
  #replace(
    sessionId: string,
    { clientId, userId }: ReplacingClient,
    isOlder: (one: Subscription) => boolean,
  ): void {
    for (const one of this.#of(sessionId))
      if (one.clientId === clientId && one.userId === userId && isOlder(one)) one.end('replaced');
  }

  #finish(sessionId: string, frames: readonly StoredFrame[]): void {
    const last = frames.at(-1);
    const isClosed =
      last?.type === 'expired' && (JSON.parse(last.data) as { readonly reason: string }).reason === 'closed';
    for (const subscription of this.#of(sessionId))
      subscription.finish(frames, isClosed ? 'closed' : 'session_expired');
  }
}
