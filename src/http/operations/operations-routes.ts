/** Serves operators and load balancers: liveness, readiness, metrics. */
import { z } from 'zod';
import type { ReplicaReport } from '../../generation/replicas/replicas.ts';
import { readsDeployment } from '../../identity/permissions.ts';
import { commit, version } from '../../startup/version.ts';
import { json } from '../core/answer.ts';
import type { HttpPorts } from '../core/ports.ts';
import { jsonAnswer, type Route } from '../core/router.ts';

const STORE = z.strictObject({
  ok: z.boolean(),
  kind: z.enum(['redis', 'sqlite']),
  durability: z.string(),
  detail: z.string().optional(),
});

const ARCHIVE = z.strictObject({
  ok: z.boolean().describe('false: conversations continue, but none can end'),
  kind: z.enum(['sqlite', 'postgres']),
});

const REPLICA = z.strictObject({
  replica: z.string().describe('host and port'),
  state: z
    .enum(['up', 'failing', 'down'])
    .describe('`down`: three failures in a row, or no answer to health checks'),
  circuit: z
    .enum(['closed', 'open', 'half-open'])
    .describe('`open`: it gets requests only if no other replica is healthy'),
  since: z.string().nullable().describe('when it began to fail or recovered; null: it never failed'),
  last_error: z.string().nullable(),
});

export const healthSchema = z
  .strictObject({
    status: z.literal('ok'),
    draining: z.boolean(),
    instance: z.string().exactOptional(),
    version: z.string().exactOptional(),
    commit: z
      .string()
      .exactOptional()
      .describe('Git commit of the build; `unknown` if the build did not know it'),
    store: STORE.exactOptional(),
    archive: ARCHIVE.exactOptional(),
    upstream: z.string().exactOptional(),
    replicas: z.array(REPLICA).exactOptional().describe('replicas of the model, as this instance sees them'),
    resident_sessions: z.int().exactOptional(),
    connections: z.int().exactOptional(),
  })
  .meta({ id: 'Health' });

export const readinessSchema = z
  .strictObject({ ready: z.boolean(), store: z.boolean(), draining: z.boolean() })
  .meta({ id: 'Readiness' });

export function operationsRoutes(ports: HttpPorts): readonly Route[] {
  const health = async () => {
    try {
      return await ports.store.health();
    } catch {
      return { ok: false, kind: ports.store.kind, durability: 'unknown' } as const;
    }
  };
  const deployment = async () => ({
    instance: ports.instance,
    version,
    commit,
    store: await health(),
    archive: { ok: await ports.archive.health(), kind: ports.archive.kind },
    upstream: ports.upstream,
    replicas: ports.replicas().map(replicaHealth),
    resident_sessions: ports.localSessions(),
    connections: ports.connections(),
  });
  return [
    {
      method: 'GET',
      path: '/healthz',
      describe: {
        name: 'getHealth',
        summary: 'Liveness',
        details:
          'With `AUTH`, only an auditor or an administrator gets more than `status` and `draining`: the other fields name parts of the deployment.',
        answers: {
          200: jsonAnswer('The instance runs, whatever the state of store and archive.', healthSchema),
        },
      },
      // 200 even without a store: an orchestrator that restarts instances during a store outage prolongs it.
      answer: async ({ caller }) => {
        const brief = { status: 'ok', draining: ports.draining() };
        return json(200, readsDeployment(caller) ? { ...brief, ...(await deployment()) } : brief);
      },
    },
    {
      method: 'GET',
      path: '/readyz',
      describe: {
        name: 'getReadiness',
        summary: 'Readiness',
        answers: {
          200: jsonAnswer('The instance takes work.', readinessSchema),
          503: jsonAnswer(
            'The instance is draining, or its store is unreachable, takes no writes, or forbids a command that a session needs.',
            readinessSchema,
          ),
        },
      },
      // The archive does not count: without it conversations continue, and they need an instance.
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
        answers: {
          200: {
            description: 'Metrics in the Prometheus text format.',
            content: { 'text/plain': z.string() },
          },
        },
      },
      answer: async () => ({
        status: 200,
        headers: { 'content-type': ports.metrics.contentType },
        body: await ports.metrics.scrape(),
      }),
    },
  ];
}

function replicaHealth({ id, state, circuit, sinceMs, lastError }: ReplicaReport) {
  const since = sinceMs === null ? null : new Date(sinceMs).toISOString();
  return { replica: id, state, circuit, since, last_error: lastError };
}
