/** What operators and load balancers ask: alive, ready, metrics. */
import type { Registry } from 'prom-client';
import { z } from 'zod';
import type { Archive } from '../../archive/archive.ts';
import type { ReplicaReport } from '../../generation/replicas/replicas.ts';
import { commit, version } from '../../startup/version.ts';
import type { Store } from '../../store/contract.ts';
import { jsonAnswer } from '../core/description.ts';
import { json, type Route } from '../core/router.ts';

export interface OperationsPorts {
  readonly instance: string;
  readonly store: Store;
  readonly archive: Archive;
  readonly registry: Registry;
  readonly upstream: string;
  readonly replicas: () => readonly ReplicaReport[];
  readonly draining: () => boolean;
  readonly localSessions: () => number;
  readonly connections: () => number;
}

export const healthSchema = z
  .strictObject({
    status: z.literal('ok'),
    instance: z.string(),
    version: z.string(),
    commit: z.string().describe('Git commit of the build; `unknown` where the build did not know it'),
    store: z.strictObject({
      ok: z.boolean(),
      kind: z.enum(['redis', 'sqlite']),
      durability: z.string(),
      detail: z.string().optional(),
    }),
    archive: z.strictObject({
      ok: z.boolean().describe('false: conversations go on, but none can end'),
      kind: z.enum(['sqlite', 'postgres']),
    }),
    upstream: z.string(),
    replicas: z
      .array(
        z.strictObject({
          replica: z.string().describe('host and port'),
          state: z
            .enum(['up', 'failing', 'down'])
            .describe('`down`: three failures in a row, or it does not answer checks'),
          circuit: z
            .enum(['closed', 'open', 'half-open'])
            .describe('`open`: it gets requests only where no other replica is well'),
          since: z.string().nullable().describe('when it began to fail, or recovered; null: it never failed'),
          last_error: z.string().nullable(),
        }),
      )
      .describe('of the model, as this instance sees them'),
    draining: z.boolean(),
    resident_sessions: z.int(),
    connections: z.int(),
  })
  .meta({ id: 'Health' });

export const readinessSchema = z
  .strictObject({ ready: z.boolean(), store: z.boolean(), draining: z.boolean() })
  .meta({ id: 'Readiness' });

export function operationsRoutes(ports: OperationsPorts): readonly Route[] {
  const health = async () => {
    try {
      return await ports.store.health();
    } catch {
      return { ok: false, kind: ports.store.kind, durability: 'unknown' } as const;
    }
  };
  return [
    {
      method: 'GET',
      path: '/healthz',
      describe: {
        name: 'getHealth',
        summary: 'Liveness',
        answers: { 200: jsonAnswer('It lives, whatever its store and archive do.', healthSchema) },
      },
      // Alive is alive: an orchestrator that restarts instances because the store is away only makes it worse.
      answer: async () =>
        json(200, {
          status: 'ok',
          instance: ports.instance,
          version,
          commit,
          store: await health(),
          archive: { ok: await ports.archive.health(), kind: ports.archive.kind },
          upstream: ports.upstream,
          replicas: ports.replicas().map(replicaHealth),
          draining: ports.draining(),
          resident_sessions: ports.localSessions(),
          connections: ports.connections(),
        }),
    },
    {
      method: 'GET',
      path: '/readyz',
      describe: {
        name: 'getReadiness',
        summary: 'Readiness',
        answers: {
          200: jsonAnswer('It takes work.', readinessSchema),
          503: jsonAnswer('It drains, or the store is away or takes no writes.', readinessSchema),
        },
      },
      // Not the archive: conversations go on without it, and no instance would be left to serve them.
      answer: async () => {
        const store = await health();
        const ready = store.ok && !ports.draining();
        return json(ready ? 200 : 503, { ready, store: store.ok, draining: ports.draining() });
      },
    },
    {
      method: 'GET',
      path: '/metrics',
      describe: {
        name: 'getMetrics',
        summary: 'Metrics for Prometheus',
        answers: { 200: { says: 'In the text format.', content: { 'text/plain': z.string() } } },
      },
      answer: async () => ({
        status: 200,
        headers: { 'content-type': ports.registry.contentType },
        body: await ports.registry.metrics(),
      }),
    },
  ];
}

function replicaHealth({ id, state, circuit, sinceMs, lastError }: ReplicaReport) {
  const since = sinceMs === null ? null : new Date(sinceMs).toISOString();
  return { replica: id, state, circuit, since, last_error: lastError };
}
