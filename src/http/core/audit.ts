/** Writes a line to the audit log for each request, refused or not, except malformed ones: those touched nothing. */
import type { Access, Audit, AuditAction, Noted } from '../../audit/audit.ts';
import type { HttpAnswer } from './answer.ts';
import { sessionIdIn } from './request.ts';
import type { Route } from './router.ts';

const ID = /^[\w.:-]{1,64}$/;

/** Without an audit log it returns the routes unchanged. */
export function withAudit(audit: Audit | null, routes: readonly Route[]): readonly Route[] {
  if (audit === null) return routes;
  return routes.map((route) => (route.audit === undefined ? route : audited(audit, route, route.audit)));
}

function audited(audit: Audit, route: Route, action: AuditAction): Route {
  return {
    ...route,
    async answer(request) {
      const { address, requestId } = request;
      const id = sessionIdIn(request);
      let noted: Noted = {};
      const about = (more: Noted): void => {
        noted = { ...noted, ...more };
      };
      const note = (outcome: Access['outcome']): void =>
        audit.note({
          action,
          outcome,
          // A path may hold any text, patient data included.
          sessionId: ID.test(id) ? id : null,
          userId: null,
          clientId: null,
          ...noted,
          address,
          channel: { kind: 'http', route: `${route.method} ${route.path}`, requestId },
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
