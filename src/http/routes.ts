/** Every route of the service, and the documents that are made of them: a route that is not here is not served. */
import type { Audit } from '../audit/audit.ts';
import { type AnalyticsPorts, analyticsRoute } from './analytics-route.ts';
import { type ArchivePorts, archiveRoutes } from './archive-routes.ts';
import { withAudit } from './audited.ts';
import { dashboardRoutes } from './dashboard-routes.ts';
import { documentsRoutes } from './documents-route.ts';
import { type ErasePorts, eraseUserRoute, withErasure } from './erase-routes.ts';
import type { ProtocolPorts } from './join-turn.ts';
import { withLimits } from './limited.ts';
import { type OperationsPorts, operationsRoutes } from './operations.ts';
import { protocolRoute } from './protocol-route.ts';
import type { Route } from './router.ts';
import { type SessionPorts, sessionRoutes } from './session-routes.ts';
import { type SessionsPorts, sessionsRoute } from './sessions-route.ts';
import { type SharesPorts, sharesRoutes } from './shares-routes.ts';
import { type TranscriptPorts, transcriptRoute } from './transcript-route.ts';

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
