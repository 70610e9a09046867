/** Lists every route of the service, and the documents made from them. */
import { agUiRoutes } from './ag-ui/agui-routes.ts';
import { chatRoutes } from './ai-sdk/chat-routes.ts';
import { archiveRoutes } from './archive/archive-routes.ts';
import { describeAudit, withAudit } from './core/audit.ts';
import { describeCallers, withCallers } from './core/callers.ts';
import { withJsonBodies } from './core/json-bodies.ts';
import { withLimits } from './core/limits.ts';
import { LongReads } from './core/long-reads.ts';
import { type Place, servedAt } from './core/places.ts';
import type { HttpPorts } from './core/ports.ts';
import { type Route, withErrorForms, withRefusals } from './core/router.ts';
import { analyticsRoute } from './operations/analytics-route.ts';
import { chatPageRoutes } from './operations/chat-page-routes.ts';
import { dashboardRoutes } from './operations/dashboard-routes.ts';
import { documentsRoutes } from './operations/documents-route.ts';
import { operationsRoutes } from './operations/operations-routes.ts';
import { referenceRoutes } from './operations/reference-routes.ts';
import { openaiRoutes } from './responses/routes.ts';
import { eraseUserRoute } from './sessions/erasure.ts';
import { createErasureQueue } from './sessions/erasure-queue.ts';
import { historyRoute } from './sessions/history-route.ts';
import { sessionRoutes } from './sessions/session-routes.ts';
import { sharesRoutes } from './sessions/share-routes.ts';
import { transcriptRoute } from './sessions/transcript-route.ts';
import { protocolRoute } from './turns/clinical/protocol-route.ts';
import { v1Routes } from './v1/v1-routes.ts';

export function httpRoutes(ports: HttpPorts): readonly Route[] {
  return placedRoutes(ports)('only');
}

/** The routes of each port. The ports share what routes keep, such as the queue of erasures; documents list their own port. */
export function placedRoutes(ports: HttpPorts): (place: Place) => readonly Route[] {
  const erasures = createErasureQueue();
  const longReads = new LongReads(ports.unavailable);
  const routes = [
    ...operationsRoutes(ports),
    protocolRoute(ports),
    ...v1Routes({ ...ports, longReads }),
    ...chatRoutes({ ...ports, longReads }),
    ...agUiRoutes({ ...ports, longReads }),
    ...openaiRoutes({ ...ports, longReads }),
    ...sessionRoutes(ports, erasures),
    transcriptRoute(ports, longReads),
    historyRoute(ports, longReads),
    ...sharesRoutes(ports),
    ...archiveRoutes(ports, longReads),
    eraseUserRoute(ports, erasures),
    analyticsRoute(ports),
    ...dashboardRoutes(),
    ...chatPageRoutes(ports),
    ...referenceRoutes(),
  ];
  const described = describeCallers(describeAudit(withJsonBodies(withRefusals(routes))));
  return (place) => {
    const isServed = servedAt(place);
    const limited = withLimits(ports.limits, described.filter(isServed));
    const audited = withAudit(ports.audit, [...limited, ...documentsRoutes(limited).filter(isServed)]);
    return withErrorForms(withCallers(ports, place, audited));
  };
}
