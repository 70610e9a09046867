/**
 * The stage runs a whole instance in this process, without sockets: real connections, hub, router and actors on a virtual
 * clock, a scripted generator, and a store in memory that a test can break.
 */
import { pino } from 'pino';
import { resetFrame } from '../../../src/delivery/attach-client.ts';
import { Hub } from '../../../src/delivery/hub.ts';
import { AUTH_OFF, type Authenticator } from '../../../src/identity/authenticator.ts';
import { OPEN, STRANGER } from '../../../src/identity/caller.ts';
import { type BudgetLimits, openBudgets } from '../../../src/limits/budgets.ts';
import { type Limits, unlimited } from '../../../src/limits/limits.ts';
import type { ServerFrame } from '../../../src/protocol/server-frames.ts';
import { Membership } from '../../../src/session/cluster/membership.ts';
import { LocalSessions } from '../../../src/session/router/local-sessions.ts';
import { SessionRouter } from '../../../src/session/router/session-router.ts';
import { HISTORY_MAX, type Store } from '../../../src/store/contract.ts';
import { openSqliteStore } from '../../../src/store/sqlite/open.ts';
import { openMetrics } from '../../../src/telemetry/metrics.ts';
import { Connection, type ConnectionPorts } from '../../../src/transport/socket/connection.ts';
import { HelloQueue } from '../../../src/transport/socket/hello-budget.ts';
import { ScriptedGenerator, watchStore, wholeConversation } from './ports.ts';
import { VirtualClock } from './virtual-clock.ts';

const INSTANCE = 'stage';
export const LEASE_MS = 3_000;
export const HELLO_QUEUE_MAX = 8;
const HOUR_MS = 3_600_000;

/** One client of the stage. */
export interface Visitor {
  readonly connection: Connection;
  readonly frames: readonly ServerFrame[];
  readonly closed: { readonly code: number; readonly reason: string } | null;
  say(frame: Readonly<Record<string, unknown>>): void;
  sayRaw(text: string): void;
}

export interface Stage {
  readonly clock: VirtualClock;
  readonly generator: ScriptedGenerator;
  readonly ports: ConnectionPorts;
  /** Names of the store's calls so far. */
  readonly calls: readonly string[];
  connect(): Visitor;
  /** Waits until no store call is pending, apart from calls that wait for the clock or never end. */
  settle(): Promise<void>;
  advance(ms: number): Promise<void>;
  close(): Promise<void>;
}

export interface StageOptions {
  /** Replaces the instance's store. */
  readonly wrap?: (store: Store) => Store;
  readonly hibernateMs?: number;
  readonly limits?: Limits;
  readonly sessionsPerUserMax?: number;
  readonly budgets?: Partial<BudgetLimits>;
  /** Absent: every client is open. */
  readonly authenticator?: Authenticator;
}

const NO_BUDGETS: BudgetLimits = {
  turnsPerUserMax: 0,
  turnsPerTenantMax: 0,
  tokensPerUserPerDay: 0,
  tokensPerTenantPerDay: 0,
};

export async function openStage(options: StageOptions = {}): Promise<Stage> {
  const clock = new VirtualClock(1_000_000);
  const generator = new ScriptedGenerator();
  const log = pino({ level: 'silent' });
  const metrics = openMetrics(INSTANCE);

  const embedded = await openSqliteStore({
    dataDir: ':memory:',
    leaseMs: LEASE_MS,
    frameLogMax: 1_000,
    inboxMax: 16,
    now: () => clock.now(),
  });
  const watched = watchStore(embedded);
  const { calls, settle } = watched;
  const store = options.wrap?.(watched.store) ?? watched.store;

  const membership = new Membership(store, clock, INSTANCE, LEASE_MS);
  const localSessions = new LocalSessions(100);
  const hub = new Hub({
    store,
    clock,
    reset: (sessionId, reason) => resetFrame(store, sessionId, reason),
    localSessions,
    lookMs: LEASE_MS / 3,
  });
  const sessions = new SessionRouter({
    instance: INSTANCE,
    store,
    generator,
    conversation: wholeConversation,
    archive: null,
    historyMax: HISTORY_MAX,
    clock,
    log,
    metrics,
    membership,
    localSessions,
    delivery: hub,
    limits: {
      idleMs: HOUR_MS,
      absoluteMs: 4 * HOUR_MS,
      warnMs: 60_000,
      queueMax: 8,
      attemptsMax: 3,
      resumesMax: 16,
    },
    leaseMs: LEASE_MS,
    hibernateMs: options.hibernateMs ?? HOUR_MS,
    flushMs: 25,
    flushLength: 1_024,
    budgets: openBudgets(
      { ...NO_BUDGETS, ...options.budgets },
      { tally: store.tally, clock, limited: metrics.limited, failed: () => {} },
    ),
    sessionsPerUserMax: options.sessionsPerUserMax ?? 0,
  });
  const ports: ConnectionPorts = {
    services: { instance: INSTANCE, sessions, hub, store, clock },
    clock,
    log,
    metrics,
    audit: null,
    authenticator: options.authenticator ?? AUTH_OFF,
    defaultPolicy: 'queue',
    draining: () => false,
    overloaded: () => false,
    limits: options.limits ?? unlimited,
    helloQueue: new HelloQueue(HELLO_QUEUE_MAX),
    retryAfterMs: () => 100,
  };
  await sessions.start();
  await membership.beat();

  return {
    clock,
    generator,
    ports,
    calls,
    connect: () => connect(ports),
    settle,
    advance: (ms) => clock.advanceTo(clock.now() + ms, settle),
    close: () => embedded.close(),
  };
}

function connect(ports: ConnectionPorts): Visitor {
  const frames: ServerFrame[] = [];
  let closed: Visitor['closed'] = null;
  const connection = new Connection(ports, {
    caller: ports.authenticator.isOff ? OPEN : STRANGER,
    address: '192.0.2.1',
    send(texts) {
      for (const text of texts) frames.push(JSON.parse(text) as ServerFrame);
      return true;
    },
    close(code, reason) {
      closed = { code, reason };
    },
  });
  const sayRaw = (text: string): void => connection.receive(new TextEncoder().encode(text).slice().buffer);
  return {
    connection,
    frames,
    get closed() {
      return closed;
    },
    sayRaw,
    say: (frame) => sayRaw(JSON.stringify(frame)),
  };
}
