/** Every route of the service, and the documents that are made of them: a route that is not here is not served. */
import type { Audit } from '../audit/audit.ts';
import { type ArchivePorts, archiveRoutes } from './archive/archive-routes.ts';
import { withAudit } from './core/audit.ts';
import { withLimits } from './core/limits.ts';
import type { Route } from './core/router.ts';
import { type AnalyticsPorts, analyticsRoute } from './operations/analytics-route.ts';
import { dashboardRoutes } from './operations/dashboard-routes.ts';
import { documentsRoutes } from './operations/documents-route.ts';
import { type OperationsPorts, operationsRoutes } from './operations/operations-routes.ts';
import { type ErasePorts, eraseUserRoute, withErasure } from './sessions/erase-routes.ts';
import { type SessionsPorts, sessionsRoute } from './sessions/list-route.ts';
import { type SessionPorts, sessionRoutes } from './sessions/session-routes.ts';
import { type SharesPorts, sharesRoutes } from './sessions/share-routes.ts';
import { type TranscriptPorts, transcriptRoute } from './sessions/transcript-route.ts';
import type { ProtocolPorts } from './turns/join-turn.ts';
import { protocolRoute } from './turns/protocol-route.ts';

export type HttpPorts = OperationsPorts &
  ProtocolPorts &
  SessionPorts &
  SessionsPorts &
  SharesPorts &
  TranscriptPorts &
  ArchivePorts &
  ErasePorts &
  AnalyticsPorts & { readonly audit: Audit | null };

export function httpRoutes(ports: HttpPorts): readonly Route[] {
  const routes = withLimits(ports, [
    ...operationsRoutes(ports),
    protocolRoute(ports),
    ...withErasure(ports, sessionRoutes(ports)),
    sessionsRoute(ports),
    transcriptRoute(ports),
    ...sharesRoutes(ports),
    ...archiveRoutes(ports),
    eraseUserRoute(ports),
    analyticsRoute(ports),
    ...dashboardRoutes(),
  ]);
  return withAudit(ports.audit, [...routes, ...documentsRoutes(routes)]);
}
