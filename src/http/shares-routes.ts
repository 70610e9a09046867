/** Inviting others into a session, and showing them out. Every socket of theirs, on every instance, learns it from the log. */
import { randomUUID } from 'node:crypto';
import { accessOf, sharesAreFull } from '../../machines/access.ts';
import type { SessionContext } from '../../machines/vocabulary.ts';
import type { Clock } from '../session/clock.ts';
import type { Directory } from '../session/directory.ts';
import { jsonAnswer } from './description.ts';
import { parseBody, parseQuery } from './parsed.ts';
import { type HttpAnswer, type HttpRequest, json, problem, type Route } from './router.ts';
import { sessionParamsSchema } from './session-description.ts';
import {
  describeShares,
  revocationQuerySchema,
  revocationSchema,
  shareParamsSchema,
  shareRequestSchema,
  shareSchema,
  sharesSchema,
} from './share.ts';
import { tookEffect } from './took-effect.ts';

export interface SharesPorts {
  readonly directory: Directory;
  readonly clock: Clock;
}

type Looked =
  | { readonly kind: 'found'; readonly context: SessionContext }
  | { readonly kind: 'refused'; readonly answer: HttpAnswer };

export function sharesRoutes({ directory, clock }: SharesPorts): readonly Route[] {
  const look = async ({ params, requestId }: HttpRequest): Promise<Looked> => {
    const view = await directory.view(idOf(params)).catch(() => undefined);
    if (view === undefined) return { kind: 'refused', answer: problem('store_unavailable', requestId) };
    if (view === null) return { kind: 'refused', answer: problem('session_not_found', requestId) };
    return { kind: 'found', context: view.context };
  };
  /** Only the owner invites and revokes: a session that is nobody's is open to all who know it anyway. */
  const lookAs = async (request: HttpRequest, userId: string | undefined): Promise<Looked> => {
    const looked = await look(request);
    if (looked.kind === 'refused') return looked;
    const forbid = (why: string): Looked => ({
      kind: 'refused',
      answer: problem('forbidden', request.requestId, why),
    });
    if (looked.context.userId === null) return forbid('the session belongs to no user');
    const isOwner = accessOf(looked.context, userId, clock.now()) === 'owner';
    return isOwner ? looked : forbid('only the owner invites and revokes');
  };

  return [
    {
      method: 'POST',
      path: '/api/session/:id/shares',
      audit: 'shared',
      describe: {
        name: 'share',
        summary: 'Invites a user into a session',
        params: sessionParamsSchema,
        details: 'The session must belong to a user: the first one who was named in it.',
        body: shareRequestSchema,
        answers: { 201: jsonAnswer('The invitation.', shareSchema) },
        errors: [
          'bad_request',
          'forbidden',
          'session_not_found',
          'too_many_shares',
          'session_moved',
          'store_unavailable',
          'overloaded',
        ],
      },
      async answer(request) {
        const { requestId } = request;
        const parsed = parseBody(shareRequestSchema, request.body);
        if (parsed.kind === 'invalid') return problem('bad_request', requestId, parsed.detail);
        const { user_id, access, expires_in_ms, invited_by } = parsed.value;
        request.about?.({ userId: invited_by ?? null, subjectUserId: user_id });
        const looked = await lookAs(request, invited_by);
        if (looked.kind === 'refused') return looked.answer;
        const { context } = looked;
        if (user_id === context.userId)
          return problem('bad_request', requestId, 'user_id: the session is theirs already');
        const at = clock.now();
        if (sharesAreFull(context, user_id, at)) return problem('too_many_shares', requestId);
        const share = { id: randomUUID(), userId: user_id, access, expiresAt: at + expires_in_ms };
        const { sessionId } = context;
        const outcome = await directory.send(sessionId, { type: 'share', at, share }, null);
        if (outcome.kind === 'refused') return problem(outcome.code, requestId);
        const isThere = (shares: SessionContext['shares'] = []) => shares.some(({ id }) => id === share.id);
        if (
          outcome.kind === 'passed' &&
          !(await tookEffect(directory, clock, sessionId, (view) => isThere(view?.context.shares)))
        )
          return problem('session_moved', requestId);
        return json(201, { share_id: share.id, user_id, access, expires_at: share.expiresAt });
      },
    },
    {
      method: 'GET',
      path: '/api/session/:id/shares',
      audit: 'read',
      describe: {
        name: 'listShares',
        summary: 'Who is invited into a session, and who of them is there',
        params: sessionParamsSchema,
        answers: { 200: jsonAnswer('The invitations that have not run out.', sharesSchema) },
        errors: ['session_not_found', 'store_unavailable'],
      },
      async answer(request) {
        const looked = await look(request);
        return looked.kind === 'refused'
          ? looked.answer
          : json(200, describeShares(looked.context, clock.now()));
      },
    },
    {
      method: 'DELETE',
      path: '/api/session/:id/shares/:share',
      audit: 'share_revoked',
      describe: {
        name: 'revokeShare',
        summary: 'Takes an invitation back and closes the sockets of who was invited, on every instance',
        params: shareParamsSchema,
        query: revocationQuerySchema,
        answers: {
          200: jsonAnswer('It is revoked.', revocationSchema),
          202: jsonAnswer('Whoever serves the session does not answer yet.', revocationSchema),
        },
        errors: [
          'bad_request',
          'forbidden',
          'not_found',
          'session_not_found',
          'session_moved',
          'store_unavailable',
          'overloaded',
        ],
      },
      async answer(request) {
        const { requestId } = request;
        const parsed = parseQuery(revocationQuerySchema, request.query);
        if (parsed.kind === 'invalid') return problem('bad_request', requestId, parsed.detail);
        request.about?.({ userId: parsed.value.revoked_by ?? null });
        const looked = await lookAs(request, parsed.value.revoked_by);
        if (looked.kind === 'refused') return looked.answer;
        const { sessionId, shares } = looked.context;
        const shareId = request.params.share ?? '';
        const share = shares.find(({ id }) => id === shareId);
        if (share === undefined) return problem('not_found', requestId);
        request.about?.({ subjectUserId: share.userId });
        const outcome = await directory.send(sessionId, { type: 'unshare', at: clock.now(), shareId }, null);
        if (outcome.kind === 'refused') return problem(outcome.code, requestId);
        const isGone = (view: { readonly context: SessionContext } | null) =>
          view?.context.shares.some(({ id }) => id === shareId) !== true;
        const revoked = outcome.kind !== 'passed' || (await tookEffect(directory, clock, sessionId, isGone));
        return json(revoked ? 200 : 202, { share_id: shareId, revoked });
      },
    },
  ];
}

function idOf(params: HttpRequest['params']): string {
  return params.id?.toLowerCase() ?? '';
}
