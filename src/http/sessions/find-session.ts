/** The session that a path names, or the answer that says why nothing can be told of it. */
import type { SessionRouter } from '../../session/router/session-router.ts';
import type { SessionView } from '../../session/router/session-view.ts';
import { type HttpAnswer, type HttpRequest, problem } from '../core/router.ts';

export type FindResult =
  | { readonly kind: 'found'; readonly sessionId: string; readonly view: SessionView }
  | { readonly kind: 'refused'; readonly answer: HttpAnswer };

export async function findSession(
  sessions: SessionRouter,
  { params, requestId }: Pick<HttpRequest, 'params' | 'requestId'>,
): Promise<FindResult> {
  const sessionId = sessionIdIn(params);
  const view = await sessions.view(sessionId).catch(() => undefined);
  if (view === undefined) return { kind: 'refused', answer: problem('store_unavailable', requestId) };
  if (view === null) return { kind: 'refused', answer: problem('session_not_found', requestId) };
  return { kind: 'found', sessionId, view };
}

/** UUIDs are stored in lower case, and may be written in either. */
export function sessionIdIn(params: HttpRequest['params']): string {
  return params.id?.toLowerCase() ?? '';
}
