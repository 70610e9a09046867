/** Metrics counts for Prometheus. Each instance has its own registry, so that several instances fit into one test. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { commit, version } from '../startup/version.ts';

const LIMITS = ['connections', 'requests', 'messages', 'guesses', 'credentials'] as const;
export type LimitName = (typeof LIMITS)[number];
const BUDGETS = ['turns', 'tokens'] as const;
export type BudgetName = (typeof BUDGETS)[number];

export interface Metrics {
  readonly registry: Registry;
  opened(created: boolean): void;
  stopped(reason: string): void;
  committed(frames: number): void;
  appended(frames: number): void;
  storeFailed(): void;
  connected(): void;
  disconnected(code: number): void;
  refused(code: string): void;
  limited(limit: LimitName | BudgetName): void;
  swept(sessions: number): void;
  unopened(why: string): void;
  observe(gauges: { readonly localSessions: () => number; readonly connections: () => number }): void;
}

export function openMetrics(instance: string): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ instance });
  collectDefaultMetrics({ register: registry, prefix: 'rehydra_' });
  const registers = [registry];
  new Gauge({
    name: 'rehydra_build_info',
    help: 'Always 1; the labels say which build runs, and on which Node.',
    labelNames: ['version', 'commit', 'node'],
    registers,
  }).set({ version, commit, node: process.versions.node }, 1);
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter({ name: `rehydra_${name}`, help, labelNames: [...labelNames], registers });
  const sessionsOpened = counter('sessions_opened_total', 'Sessions created or restored by this instance.', [
    'how',
  ]);
  const actorsStopped = counter('actors_stopped_total', 'Session actors that stopped on this instance.', [
    'reason',
  ]);
  const commits = counter('commits_total', 'Transitions stored.');
  const appends = counter('appends_total', 'Writes of running text stored.');
  const frames = counter('frames_total', 'Durable frames stored.');
  const storeErrors = counter('store_errors_total', 'Store calls without an answer.');
  const disconnects = counter('disconnects_total', 'Connections closed, by close code.', ['code']);
  const connects = counter('connects_total', 'Connections opened.');
  const refusals = counter('refusals_total', 'Errors sent to clients.', ['code']);
  const limited = counter('rate_limited_total', 'Requests refused by a rate limit.', ['limit']);
  const unopened = counter('sealed_unopened_total', 'Stored texts that no key of this instance opens.', [
    'why',
  ]);
  for (const why of ['key-unknown', 'damaged', 'not-sealed']) unopened.inc({ why }, 0);
  const swept = counter('swept_total', 'Due sessions found without an owner.');
  // A counter that appears with its first refusal has no rate yet, so no alert fires.
  for (const limit of [...LIMITS, ...BUDGETS]) limited.inc({ limit }, 0);
  return {
    registry,
    opened: (created) => sessionsOpened.inc({ how: created ? 'created' : 'rehydrated' }),
    stopped: (reason) => actorsStopped.inc({ reason }),
    committed: (count) => {
      commits.inc();
      frames.inc(count);
    },
    appended: (count) => {
      appends.inc();
      frames.inc(count);
    },
    storeFailed: () => storeErrors.inc(),
    connected: () => connects.inc(),
    disconnected: (code) => disconnects.inc({ code: String(code) }),
    refused: (code) => refusals.inc({ code }),
    limited: (limit) => limited.inc({ limit }),
    swept: (sessions) => swept.inc(sessions),
    unopened: (why) => unopened.inc({ why }),
    observe({ localSessions, connections }) {
      const gauge = (name: string, help: string, read: () => number) =>
        new Gauge({
          name: `rehydra_${name}`,
          help,
          registers,
          collect() {
            this.set(read());
          },
        });
      gauge('resident_sessions', 'Sessions in the memory of this instance.', localSessions);
      gauge('connections', 'Open connections.', connections);
    },
  };
}
