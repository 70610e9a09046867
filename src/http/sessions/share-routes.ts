/** Inviting others into a session, and showing them out. Every socket of theirs, on every instance, learns it from the log. */
import { randomUUID } from 'node:crypto';
import { accessOf, sharesAreFull } from '../../../machines/access.ts';
import type { SessionView } from '../../session/router/session-view.ts';
import { jsonAnswer } from '../core/description.ts';
import { parseBody, parseQuery } from '../core/parse.ts';
import { type HttpRequest, json, problem, type Route } from '../core/router.ts';
import { type FindResult, findSession } from './find-session.ts';
import { type SendAndWaitPorts, sendAndWait } from './send-and-wait.ts';
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

export type SharesPorts = SendAndWaitPorts;

/** What an owner may be answered who invites or revokes. */
const REFUSED_TO_OWNERS = [
  'bad_request',
  'forbidden',
  'session_not_found',
  'session_moved',
  'store_unavailable',
  'overloaded',
] as const;

export function sharesRoutes(ports: SharesPorts): readonly Route[] {
  const { sessions, clock } = ports;
  /** Only the owner invites and revokes: a session that is nobody's is open to all who know it anyway. */
  const lookAs = async (request: HttpRequest, userId: string | undefined): Promise<FindResult> => {
    const looked = await findSession(sessions, request);
    if (looked.kind === 'refused') return looked;
    const forbid = (why: string): FindResult => ({
      kind: 'refused',
      answer: problem('forbidden', request.requestId, why),
    });
    const { context } = looked.view;
    if (context.userId === null) return forbid('the session belongs to no user');
    const isOwner = accessOf(context, userId, clock.now()) === 'owner';
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
        errors: ['too_many_shares', ...REFUSED_TO_OWNERS],
      },
      async answer(request) {
        const { requestId } = request;
        const parsed = parseBody(shareRequestSchema, request.body);
        if (parsed.kind === 'invalid') return problem('bad_request', requestId, parsed.detail);
        const { user_id, access, expires_in_ms, invited_by } = parsed.value;
        request.about?.({ userId: invited_by ?? null, subjectUserId: user_id });
        const looked = await lookAs(request, invited_by);
        if (looked.kind === 'refused') return looked.answer;
        const { context } = looked.view;
        if (user_id === context.userId)
          return problem('bad_request', requestId, 'user_id: the session is theirs already');
        const at = clock.now();
        if (sharesAreFull(context, user_id, at)) return problem('too_many_shares', requestId);
        const share = { id: randomUUID(), userId: user_id, access, expiresAt: at + expires_in_ms };
        const { sessionId } = context;
        const invited = await sendAndWait(ports, sessionId, { type: 'share', at, share }, (view) =>
          has(view, share.id),
        );
        if (invited.kind === 'refused') return problem(invited.code, requestId);
        if (invited.kind === 'told') return problem('session_moved', requestId);
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
        const looked = await findSession(sessions, request);
        return looked.kind === 'refused'
          ? looked.answer
          : json(200, describeShares(looked.view.context, clock.now()));
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
        errors: ['not_found', ...REFUSED_TO_OWNERS],
      },
      async answer(request) {
        const { requestId } = request;
        const parsed = parseQuery(revocationQuerySchema, request.query);
        if (parsed.kind === 'invalid') return problem('bad_request', requestId, parsed.detail);
        request.about?.({ userId: parsed.value.revoked_by ?? null });
        const looked = await lookAs(request, parsed.value.revoked_by);
        if (looked.kind === 'refused') return looked.answer;
        const { sessionId, shares } = looked.view.context;
        const shareId = request.params.share ?? '';
        const share = shares.find(({ id }) => id === shareId);
        if (share === undefined) return problem('not_found', requestId);
        request.about?.({ subjectUserId: share.userId });
        const event = { type: 'unshare', at: clock.now(), shareId } as const;
        const outcome = await sendAndWait(ports, sessionId, event, (view) => !has(view, shareId));
        if (outcome.kind === 'refused') return problem(outcome.code, requestId);
        const revoked = outcome.kind === 'done';
        return json(revoked ? 200 : 202, { share_id: shareId, revoked });
      },
    },
  ];
}

function has(view: SessionView | null, shareId: string): boolean {
  return view?.context.shares.some(({ id }) => id === shareId) === true;
}
