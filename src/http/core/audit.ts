/**
 * Writes a line to the audit log for each request, refused or not, except malformed ones: those touched nothing. In strict
 * mode a request is refused if its line cannot be written.
 */
import { type Access, type Audit, type AuditAction, actorOf, type Noted } from '../../audit/audit.ts';
import { type HttpAnswer, problem } from './answer.ts';
import { sessionIdIn } from './request.ts';
import type { Route } from './router.ts';

const ID = /^[\w.:-]{1,64}$/;

/** Names `audit_unavailable` in the documents of each route that writes to the audit log. */
export function describeAudit(routes: readonly Route[]): readonly Route[] {
  return routes.map((route) => {
    const { describe } = route;
    if (describe === undefined || route.audit === undefined) return route;
    return { ...route, describe: { ...describe, errors: [...(describe.errors ?? []), 'audit_unavailable'] } };
  });
}

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
      const access = (): Omit<Access, 'outcome'> => ({
        action,
        // A path may hold any text, patient data included.
        sessionId: ID.test(id) ? id : null,
        // A back end may name the user in the body or the query, which only the route has read.
        ...actorOf(request.caller, noted.userId === undefined ? request.userId : noted.userId),
        userId: request.userId,
        clientId: null,
        ...noted,
        address,
        channel: { kind: 'http', route: `${route.method} ${route.path}`, requestId },
      });
      const note = (outcome: Access['outcome']): boolean => audit.note({ ...access(), outcome });
      const unavailable = (): HttpAnswer => {
        note('audit_unavailable');
        return problem('audit_unavailable', requestId);
      };
      // A read changes nothing, so one line is enough, before its answer is sent.
      const mayBegin = route.method === 'GET' ? !audit.refuses() : audit.begin(access());
      if (!mayBegin) return unavailable();
      let answer: HttpAnswer;
      try {
        answer = await route.answer({ ...request, about });
      } catch (error) {
        note('internal');
        throw error;
      }
      if (answer.code === 'bad_request') return answer;
      const isNoted = note(answer.code ?? (answer.status === 202 ? 'passed' : 'ok'));
      // The line of what has changed waits. Of what was only read, the client gets nothing.
      return isNoted || route.method !== 'GET' ? answer : problem('audit_unavailable', requestId);
    },
  };
}
