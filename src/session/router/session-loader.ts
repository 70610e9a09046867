/** SessionLoader loads sessions for the router, and gives each actor its host. */

import { LRUCache } from 'lru-cache';
import type { Log } from '../../telemetry/log.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { ActorHost, StopReason } from '../actor/actor-host.ts';
import { type LoadedSession, loadSession, type NewSession } from '../actor/load.ts';
import type { SessionActor } from '../actor/session-actor.ts';
import { UserQuota } from '../actor/user-quota.ts';
import type { InstanceMessages } from '../cluster/instance-messages.ts';
import { FlushSchedule } from '../turn/flush-schedule.ts';
import type { DeliveryPort } from './delivery-port.ts';
import { openInboxEntry } from './inbox.ts';
import type { LocalSessions } from './local-sessions.ts';

export interface LoaderOptions
  extends Omit<
    ActorHost,
    | 'flushSchedule'
    | 'deliver'
    | 'openInboxEntry'
    | 'stopped'
    | 'committed'
    | 'appended'
    | 'storeFailed'
    | 'unreadable'
  > {
  readonly metrics: Metrics;
  /** Longest wait between two writes of a running turn's text. */
  readonly flushMs: number;
  readonly localSessions: LocalSessions;
  readonly delivery: DeliveryPort;
  /** Live sessions of one user, over all instances; 0: no bound. */
  readonly sessionsPerUserMax: number;
}

/** Unreadable sessions that are logged once; beyond them, the oldest are logged again. */
const UNREADABLE_MAX = 10_000;

export class SessionLoader {
  readonly #options: LoaderOptions;
  readonly #host: ActorHost;
  readonly #quota: UserQuota;
  readonly #restored: (actor: SessionActor) => void;

  /** `restored` runs with each actor of a session that existed before. */
  constructor(options: LoaderOptions, messages: InstanceMessages, restored: (actor: SessionActor) => void) {
    const { metrics, delivery, log } = options;
    this.#options = options;
    this.#quota = new UserQuota(options.store, options.sessionsPerUserMax);
    this.#restored = restored;
    this.#host = {
      ...options,
      flushSchedule: new FlushSchedule(options.clock, options.flushMs),
      deliver: (sessionId, frames) => delivery.deliver(sessionId, frames),
      openInboxEntry: (sessionId, entry) => openInboxEntry({ ...options, messages }, sessionId, entry),
      stopped: (sessionId, epoch, reason) => this.#stopped(sessionId, epoch, reason),
      committed: metrics.committed,
      appended: metrics.appended,
      storeFailed: (sessionId, error) => {
        metrics.storeFailed();
        log.warn({ sessionId, err: error }, 'store did not answer a write');
      },
      unreadable: unreadableLog(log),
    };
  }

  /** Never rejects. */
  readonly load = async (sessionId: string, input: NewSession | null): Promise<LoadedSession> => {
    const { metrics, log } = this.#options;
    try {
      const loaded = await loadSession(this.#host, sessionId, input, this.#quota);
      if (loaded.kind === 'loaded' && !loaded.actor.stopped) {
        metrics.opened(loaded.created);
        if (!loaded.created) this.#restored(loaded.actor);
      }
      return loaded;
    } catch (error) {
      metrics.storeFailed();
      log.warn({ err: error }, 'session could not be opened');
      return { kind: 'refused', code: 'store_unavailable' };
    }
  };

  #stopped(sessionId: string, epoch: number, reason: StopReason): void {
    const { localSessions, metrics, log, delivery } = this.#options;
    localSessions.remove(sessionId, epoch);
    metrics.stopped(reason);
    if (reason !== 'ended' && reason !== 'released') log.warn({ sessionId, reason }, 'session actor stopped');
    delivery.left(sessionId, reason);
  }
}

/** Logs each session once: every sweep meets a damaged session that is due, and would fill the log. */
function unreadableLog(log: Log): (sessionId: string, why: string) => void {
  const logged = new LRUCache<string, true>({ max: UNREADABLE_MAX });
  return (sessionId, why) => {
    const line = `${sessionId} ${why}`;
    if (logged.has(line)) return;
    logged.set(line, true);
    log.error({ sessionId, why }, 'session cannot be read by this instance');
  };
}
