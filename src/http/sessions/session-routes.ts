/** Lists, reads, deletes and erases live sessions; any instance answers. */
import { z } from 'zod';
import { accessOf } from '../../../machines/access.ts';
import { tenantField } from '../../../machines/tenant.ts';
import { codeOf } from '../../errors.ts';
import { reachOf } from '../../identity/permissions.ts';
import { userIdSchema } from '../../protocol/client-frames.ts';
import type { SessionView } from '../../session/router/session-view.ts';
import { indexState, indexStates, indexUser } from '../../store/tenant-index.ts';
import { json, Refusal } from '../core/answer.ts';
import type { HttpPorts } from '../core/ports.ts';
import { type HttpRequest, parseQuery, participantIn, sessionIdIn, tenantOf } from '../core/request.ts';
import { jsonAnswer, type Route } from '../core/router.ts';
import { erasedSessionSchema, eraseSession, refuseErasure } from './erasure.ts';
import type { ErasureQueue } from './erasure-queue.ts';
import { findSession, sendAndWait } from './find-session.ts';
import { describeSession, sessionParamsSchema, sessionSchema } from './session-description.ts';

const listQuerySchema = z.object({
  state: z.enum(['connected', 'processing', 'idle']).exactOptional(),
  user_id: userIdSchema.exactOptional(),
  cursor: z.string().exactOptional().describe('`cursor` of the previous page'),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});

export const sessionPageSchema = z
  .strictObject({
    count: z.int().describe('sessions on this page'),
    sessions: z.array(sessionSchema),
    cursor: z.string().nullable().describe('start of the next page; null: this is the last page'),
  })
  .meta({ id: 'SessionPage' });

const deleteQuerySchema = z.object({
  erase: z.enum(['true', 'false']).default('false').describe('true: keep nothing of the session anywhere'),
});

export const deletionSchema = z
  .strictObject({ session_id: z.uuid(), deleted: z.boolean().describe('false: not yet') })
  .meta({ id: 'Deletion' });

const UNREADABLE =
  'What is stored of the session cannot be read, so it cannot be archived. With erase=true it is deleted unread.';

/** An administrator deletes without an author. A user must be the owner: a guest who may read sees the session. */
async function deletingAuthor(ports: HttpPorts, request: HttpRequest) {
  // On loopback, a session that cannot be read is deleted unread as well.
  if (request.caller.kind === 'open') return {};
  const { context } = await findSession(ports, request);
  if (request.reach === 'all') return {};
  const participant = participantIn(request);
  if (accessOf(context, participant, ports.clock.now()) !== 'owner') throw new Refusal('forbidden');
  return { author: participant.userId, ...tenantField(participant.tenant) };
}

/** True on loopback without credentials, where every client may do everything. Operators act for no owner. */
export function isOwner(
  request: HttpRequest,
  { context }: SessionView,
  now: number,
  named?: string,
): boolean {
  if (request.caller.kind === 'open') return true;
  return request.reach === 'own' && accessOf(context, participantIn(request, named), now) === 'owner';
}

/** The user whose sessions are listed; undefined: all of the tenant. */
function listedUser(request: HttpRequest, wanted: string | undefined): string | undefined {
  if (request.reach === 'all') return wanted;
  const { userId } = participantIn(request, wanted);
  if (userId === null)
    throw new Refusal(
      'bad_request',
      'user_id: a back end must name the user, in the query or in the header rehydra-user',
    );
  request.about?.({ userId });
  return userId;
}

export function sessionRoutes(ports: HttpPorts, erasures: ErasureQueue): readonly Route[] {
  const { sessions, store, clock } = ports;
  return [
    {
      method: 'GET',
      path: '/api/session/:id',
      audit: 'read',
      describe: {
        name: 'getSession',
        summary: 'The state of a session, without its conversation',
        params: sessionParamsSchema,
        answers: { 200: jsonAnswer('The session.', sessionSchema) },
        errors: ['session_not_found', 'store_unavailable'],
      },
      async answer(request) {
        const view = await findSession(ports, request);
        const now = clock.now();
        return json(200, describeSession(view, now, isOwner(request, view, now)));
      },
    },
    {
      method: 'DELETE',
      path: '/api/session/:id',
      audit: 'deleted',
      describe: {
        name: 'deleteSession',
        summary: 'Ends and deletes a session immediately',
        params: sessionParamsSchema,
        query: deleteQuerySchema,
        details:
          'Cancels a running turn and closes every socket of the session. With `erase=true` the session is not archived, its earlier lives are deleted from the archive, and the files of store and archive are rewritten if anything was found. The answer is then 200 with `erased`, even if nothing was found.',
        answers: {
          200: jsonAnswer(
            'The session is deleted, or erased with `erase=true`.',
            z.union([deletionSchema, erasedSessionSchema]),
          ),
          202: jsonAnswer(
            'The instance that serves the session does not answer: the session is deleted once its lease expires.',
            deletionSchema,
          ),
        },
        errors: [
          'bad_request',
          'session_not_found',
          'session_moved',
          'store_unavailable',
          'archive_unavailable',
          'overloaded',
        ],
      },
      async answer(request) {
        const sessionId = sessionIdIn(request);
        if (parseQuery(deleteQuerySchema, request.query).erase === 'true') {
          request.about?.({ action: 'erased_session' });
          if (reachOf(request.caller, 'DELETE /api/session/:id?erase=true') === 'none')
            throw new Refusal('forbidden');
          const erase = () => eraseSession(ports, tenantOf(request), sessionId);
          return json(200, await erasures.run(erase).catch(refuseErasure));
        }
        const by = await deletingAuthor(ports, request);
        const event = { type: 'close', at: clock.now(), ...by, reason: 'admin' } as const;
        const isGone = (view: unknown) => view === null;
        const deleted = await sendAndWait(ports, sessionId, event, isGone, { internal: UNREADABLE });
        return json(deleted ? 200 : 202, { session_id: sessionId, deleted });
      },
    },
    {
      method: 'GET',
      path: '/api/sessions',
      audit: 'listed',
      describe: {
        name: 'listSessions',
        summary: 'Live sessions, page by page',
        details: 'The order never changes: a session that lives throughout is on exactly one page.',
        query: listQuerySchema,
        answers: { 200: jsonAnswer('One page of sessions.', sessionPageSchema) },
        errors: ['bad_request', 'store_unavailable'],
      },
      async answer(request) {
        const { user_id: wanted, state, ...page } = parseQuery(listQuerySchema, request.query);
        const userId = listedUser(request, wanted);
        const tenant = tenantOf(request);
        const { about } = request;
        try {
          const { sessionIds, cursor } = await store.list({
            ...page,
            states: state === undefined ? indexStates(tenant) : [indexState(tenant, state)],
            ...(userId !== undefined && { userId: indexUser(tenant, userId) }),
          });
          const views = await Promise.all(sessionIds.map((id) => sessions.view(id)));
          const now = clock.now();
          // Null: the session ended after it was listed.
          const described = views.flatMap((view) =>
            view === null ? [] : [describeSession(view, now, isOwner(request, view, now, wanted))],
          );
          about?.({ sessionIds: described.map(({ session_id }) => session_id) });
          return json(200, { count: described.length, sessions: described, cursor });
        } catch (error) {
          throw codeOf(error) === 'STORE_CURSOR'
            ? new Refusal('bad_request', 'cursor: this service did not issue it')
            : new Refusal('store_unavailable');
        }
      },
    },
  ];
}
