/**
 * Routes that leave a line in the audit log for each request, whatever was answered. A request that was not understood
 * leaves none: nothing was touched.
 */
import type { Access, Audit, AuditAction, Noted } from '../../audit/audit.ts';
import { sessionIdIn } from '../sessions/find-session.ts';
import type { HttpAnswer, Route } from './router.ts';

const ID = /^[\w.:-]{1,64}$/;

/** Without an audit log the routes are what they are. */
export function withAudit(audit: Audit | null, routes: readonly Route[]): readonly Route[] {
  if (audit === null) return routes;
  return routes.map((route) => (route.audit === undefined ? route : audited(audit, route, route.audit)));
}

function audited(audit: Audit, route: Route, action: AuditAction): Route {
  return {
    ...route,
    async answer(request) {
      const { params, address, requestId } = request;
      const id = sessionIdIn(params);
      let noted: Noted = {};
      const about = (more: Noted): void => {
        noted = { ...noted, ...more };
      };
      const note = (outcome: Access['outcome']): void =>
        audit.note({
          action,
          outcome,
          // Anything can stand in a path.
          sessionId: ID.test(id) ? id : null,
          userId: null,
          clientId: null,
          ...noted,
          address,
          door: { kind: 'http', route: `${route.method} ${route.path}`, requestId },
        });
      let answer: HttpAnswer;
      try {
        answer = await route.answer({ ...request, about });
      } catch (error) {
        note('internal');
        throw error;
      }
      if (answer.code !== 'bad_request') note(answer.code ?? (answer.status === 202 ? 'passed' : 'ok'));
      return answer;
    },
  };
}
