/** Invites users into a session, lists its shares and revokes them. Every instance learns of a change from the session's log. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { accessOf, sharesAreFull } from '../../../machines/access.ts';
import { tenantField } from '../../../machines/tenant.ts';
import type { SessionContext } from '../../../machines/vocabulary.ts';
import { userIdSchema } from '../../protocol/client-frames.ts';
import type { SessionView } from '../../session/router/session-view.ts';
import { json, Refusal } from '../core/answer.ts';
import type { HttpPorts } from '../core/ports.ts';
import { type HttpRequest, parseBody, parseQuery, participantIn } from '../core/request.ts';
import { jsonAnswer, type Route } from '../core/router.ts';
import { findSession, sendAndWait } from './find-session.ts';
import { sessionParamsSchema } from './session-description.ts';

const access = z.enum(['read', 'write']);
const owner = userIdSchema
  .optional()
  .describe('owner of the session; any other user is refused, and a request that names no user');

const shareRequestSchema = z
  .strictObject({
    user_id: userIdSchema.describe('User to invite. If the user already has a share, this one replaces it.'),
    access: access.default('read'),
    expires_in_ms: z.int().min(1_000).max(14_400_000).default(3_600_000),
    invited_by: owner,
  })
  .meta({ id: 'ShareRequest' });

const revocationQuerySchema = z.object({ revoked_by: owner });

export const shareSchema = z
  .strictObject({ share_id: z.uuid(), user_id: userIdSchema, access, expires_at: z.int() })
  .meta({ id: 'Share' });

export const sharesSchema = z
  .strictObject({
    shares: z.array(
      z.strictObject({
        ...shareSchema.shape,
        present: z.boolean().describe('whether the user is connected'),
      }),
    ),
  })
  .meta({ id: 'Shares' });

const revocationSchema = z
  .strictObject({ share_id: z.string(), revoked: z.boolean().describe('false: not yet') })
  .meta({ id: 'Revocation' });

const OWNER_ERRORS = [
  'bad_request',
  'forbidden',
  'session_not_found',
  'session_moved',
  'store_unavailable',
  'overloaded',
] as const;

/** The session whose owner asks, and the author of the owner's event. */
interface Shared {
  readonly context: SessionContext;
  readonly by: { readonly author?: string | null; readonly tenant?: string };
}

export function sharesRoutes(ports: HttpPorts): readonly Route[] {
  const { clock } = ports;
  /** Only an owner shares: a session without one is open to every client that knows its id. */
  const sharedBy = async (request: HttpRequest, claimed: string | undefined): Promise<Shared> => {
    const participant = participantIn(request, claimed);
    request.about?.({ userId: participant.userId });
    const { context } = await findSession(ports, { ...request, userId: participant.userId });
    if (context.userId === null) throw new Refusal('forbidden', 'the session belongs to no user');
    // An administrator has no access of its own to a session, and needs none.
    const isAdmin = request.caller.kind === 'identified' && request.caller.role === 'admin';
    if (!isAdmin && accessOf(context, participant, clock.now()) !== 'owner')
      throw new Refusal('forbidden', 'only the owner invites and revokes');
    return { context, by: isAdmin ? {} : { author: participant.userId, ...tenantField(participant.tenant) } };
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
        details: 'The session must have an owner: the first user that a client named in it.',
        body: shareRequestSchema,
        answers: { 201: jsonAnswer('The share.', shareSchema) },
        errors: ['too_many_shares', ...OWNER_ERRORS],
      },
      async answer(request) {
        const { user_id, access, expires_in_ms, invited_by } = parseBody(
          shareRequestSchema,
          await request.body(),
        );
        request.about?.({ subjectUserId: user_id });
        const { context, by } = await sharedBy(request, invited_by);
        if (user_id === context.userId)
          throw new Refusal('bad_request', 'user_id: this user owns the session already');
        const at = clock.now();
        if (sharesAreFull(context, user_id, at)) throw new Refusal('too_many_shares');
        const share = { id: randomUUID(), userId: user_id, access, expiresAt: at + expires_in_ms };
        const event = { type: 'share', at, ...by, share } as const;
        const isDone = await sendAndWait(ports, context.sessionId, event, (view) => has(view, share.id));
        if (!isDone) throw new Refusal('session_moved');
        return json(201, { share_id: share.id, user_id, access, expires_at: share.expiresAt });
      },
    },
    {
      method: 'GET',
      path: '/api/session/:id/shares',
      audit: 'read',
      describe: {
        name: 'listShares',
        summary: 'The shares of a session',
        params: sessionParamsSchema,
        answers: { 200: jsonAnswer('The shares that have not expired.', sharesSchema) },
        errors: ['session_not_found', 'store_unavailable'],
      },
      answer: async (request) =>
        json(200, describeShares((await findSession(ports, request)).context, clock.now())),
    },
    {
      method: 'DELETE',
      path: '/api/session/:id/shares/:share',
      audit: 'share_revoked',
      describe: {
        name: 'revokeShare',
        summary: "Revokes a share and closes the invited user's sockets on every instance",
        params: sessionParamsSchema.extend({ share: z.uuid().describe('`share_id` of the share') }),
        query: revocationQuerySchema,
        answers: {
          200: jsonAnswer('The share is revoked.', revocationSchema),
          202: jsonAnswer('The instance that serves the session has not answered yet.', revocationSchema),
        },
        errors: ['not_found', ...OWNER_ERRORS],
      },
      async answer(request) {
        const { revoked_by } = parseQuery(revocationQuerySchema, request.query);
        const { context, by } = await sharedBy(request, revoked_by);
        const { sessionId, shares } = context;
        const shareId = request.params.share ?? '';
        const share = shares.find(({ id }) => id === shareId);
        if (share === undefined) throw new Refusal('not_found');
        request.about?.({ subjectUserId: share.userId });
        const event = { type: 'unshare', at: clock.now(), ...by, shareId } as const;
        const revoked = await sendAndWait(ports, sessionId, event, (view) => !has(view, shareId));
        return json(revoked ? 200 : 202, { share_id: shareId, revoked });
      },
    },
  ];
}

function describeShares(context: SessionContext, now: number): z.infer<typeof sharesSchema> {
  const shares = context.shares
    .filter((share) => share.expiresAt > now)
    .map(({ id, userId, access, expiresAt }) => ({
      share_id: id,
      user_id: userId,
      access,
      expires_at: expiresAt,
      present: context.present.some((one) => one.userId === userId),
    }));
  return { shares };
}

function has(view: SessionView | null, shareId: string): boolean {
  return view?.context.shares.some(({ id }) => id === shareId) === true;
}
