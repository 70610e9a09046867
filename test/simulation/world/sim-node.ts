/**
 * SimNode is one instance: the pieces of `src/service.ts`, wired as there, on simulated time, store, model and sockets.
 *
 *  NODE-1  Everything it runs belongs to its process: when that dies, nothing of it runs again.
 *  NODE-2  An error in its log, or an unhandled promise, is a bug: faults of the world are warnings.
 */

import { Registry } from 'prom-client';
import { resetFrame, type SessionServices } from '../../../src/delivery/attach-client.ts';
import { Hub } from '../../../src/delivery/hub.ts';
import type { Generator } from '../../../src/generation/port.ts';
import { AUTH_OFF } from '../../../src/identity/authenticator.ts';
import { unlimited } from '../../../src/limits/limits.ts';
import { Membership } from '../../../src/session/cluster/membership.ts';
import { Sweeper } from '../../../src/session/cluster/sweeper.ts';
import { LocalSessions } from '../../../src/session/router/local-sessions.ts';
import { SessionRouter } from '../../../src/session/router/session-router.ts';
import { HISTORY_MAX, type Store, type StoredFrame } from '../../../src/store/contract.ts';
import type { Log } from '../../../src/telemetry/log.ts';
import type { Metrics } from '../../../src/telemetry/metrics.ts';
import { drain } from '../../../src/transport/drain.ts';
import type { ConnectionPorts } from '../../../src/transport/socket/connection.ts';
import { HelloQueue } from '../../../src/transport/socket/hello-budget.ts';
import { wholeConversation } from '../../support/actor/ports.ts';
import type { Violations } from '../judge/violations.ts';
import type { SimProcess } from './sim-process.ts';
import type { SimSocket } from './sim-socket.ts';

/** Puts a variant with a planted bug between the store and the instance that uses it. */
export type WrapStore = (store: Store, hands: WrapHands) => Store;

export interface WrapHands {
  /** To this instance's sockets. */
  readonly deliver: (sessionId: string, frames: readonly StoredFrame[]) => void;
  /** Tells the history that inbox entries were applied. */
  readonly consumed: (sessionId: string, entries: readonly string[]) => void;
}

export interface NodePorts {
  readonly slot: string;
  readonly process: SimProcess;
  readonly store: Store;
  readonly wrap: WrapStore;
  readonly consumed: WrapHands['consumed'];
  readonly generator: Generator;
  readonly violations: Violations;
  readonly note: (line: () => string) => void;
  readonly queueMax: number;
  readonly exit: (node: SimNode) => void;
}

/** The times of a world: small, and with the same order among them as the defaults of src/config/config.ts. */
export const LEASE_MS = 2_000;
export const IDLE_MS = 7_000;
const ABSOLUTE_MS = 40_000;
const WARN_MS = 1_500;
const HIBERNATE_MS = 1_200;
const DRAIN_MS = 1_500;

const registry = new Registry();
const metrics: Metrics = {
  registry,
  opened() {},
  stopped() {},
  committed() {},
  appended() {},
  storeFailed() {},
  connected() {},
  disconnected() {},
  refused() {},
  limited() {},
  swept() {},
  unopened() {},
  observe() {},
};

export class SimNode {
  readonly slot: string;
  readonly process: SimProcess;
  readonly sockets = new Set<SimSocket>();
  readonly connection: ConnectionPorts;
  readonly #ports: NodePorts;
  readonly #sessions: SessionRouter;
  readonly #hub: Hub;
  readonly #membership: Membership;
  readonly #sweeper: Sweeper;
  #phase: 'booting' | 'listening' | 'draining' = 'booting';

  constructor(ports: NodePorts) {
    const { process, violations, note, wrap } = ports;
    const { clock, name: instance } = process;
    const store = wrap(ports.store, {
      deliver: (sessionId, frames) => this.#hub.deliver(sessionId, frames),
      consumed: ports.consumed,
    });
    const log: Log = {
      debug() {},
      info() {},
      warn: (fields: { readonly err?: unknown }, message?: string) =>
        note(() => `${instance} warns: ${message} ${fields.err instanceof Error ? fields.err.message : ''}`),
      error: (fields: { readonly err?: unknown }, message?: string) => {
        const cause = fields.err instanceof Error ? `${fields.err.stack}` : JSON.stringify(fields);
        if (process.alive) violations.found('R24', `${message}: ${cause}`);
      },
    } as Log;
    this.#ports = ports;
    this.slot = ports.slot;
    this.process = process;
    this.#membership = new Membership(store, clock, instance, LEASE_MS);
    const localSessions = new LocalSessions(1_000);
    this.#hub = new Hub({
      store,
      clock,
      reset: (sessionId, reason) => resetFrame(store, sessionId, reason),
      localSessions,
      lookMs: LEASE_MS / 3,
    });
    this.#sessions = new SessionRouter({
      instance,
      store,
      generator: ports.generator,
      conversation: wholeConversation,
      archive: null,
      historyMax: HISTORY_MAX,
      clock,
      log,
      metrics,
      membership: this.#membership,
      localSessions,
      delivery: this.#hub,
      limits: {
        idleMs: IDLE_MS,
        absoluteMs: ABSOLUTE_MS,
        warnMs: WARN_MS,
        queueMax: ports.queueMax,
        attemptsMax: 3,
        resumesMax: 16,
      },
      budgets: null,
      leaseMs: LEASE_MS,
      hibernateMs: HIBERNATE_MS,
      flushMs: 25,
      flushLength: 64,
      sessionsPerUserMax: 0,
    });
    this.#sweeper = new Sweeper({
      instance,
      store,
      clock,
      log,
      metrics,
      membership: this.#membership,
      leaseMs: LEASE_MS,
      // Less often than in service.ts: looking at 256 empty buckets would be most of what the simulation does.
      pollMs: LEASE_MS,
      wake: (sessionId) => this.#sessions.wake(sessionId),
    });
    const services: SessionServices = {
      instance,
      sessions: this.#sessions,
      hub: this.#hub,
      store,
      clock,
    };
    this.connection = {
      services,
      clock,
      log,
      metrics,
      audit: null,
      authenticator: AUTH_OFF,
      defaultPolicy: 'queue',
      draining: () => this.#phase === 'draining',
      overloaded: () => false,
      limits: unlimited,
      helloQueue: new HelloQueue(512),
      retryAfterMs: () => 100,
    };
    process.io(0, () => void this.#boot());
  }

  get listening(): boolean {
    return this.#phase === 'listening' && this.process.alive;
  }

  /** Is a session's actor here? */
  hosts(sessionId: string): boolean {
    return this.process.alive && this.#sessions.actor(sessionId) !== null;
  }

  async #boot(): Promise<void> {
    try {
      await this.#sessions.start();
    } catch {
      // As src/run.ts: an instance that cannot start ends, and is started again.
      return this.#ports.exit(this);
    }
    await this.#membership.beat();
    this.#sweeper.start();
    this.#phase = 'listening';
    this.#ports.note(() => `${this.process.name} listens`);
  }

  drain(): void {
    if (this.#phase !== 'listening') return;
    const { clock } = this.process;
    this.#phase = 'draining';
    const server = {
      listen: () => Promise.reject(new Error('draining')),
      connectionCount: () => this.sockets.size,
      unanswered: () => 0,
      sendAway: (code: Parameters<SimSocket['connection']['sendAway']>[0]) => {
        for (const socket of [...this.sockets]) if (socket.open) socket.connection.sendAway(code);
      },
      stopListening() {},
      close() {},
    };
    const ports = {
      server,
      sessions: this.#sessions,
      sweeper: this.#sweeper,
      membership: this.#membership,
      hub: this.#hub,
      clock,
      log: this.connection.log,
      drainMs: DRAIN_MS,
    };
    drain(ports).then(
      () => this.#ports.exit(this),
      (error: unknown) => this.#ports.violations.found('R24', `drain failed: ${error}`),
    );
  }
}
