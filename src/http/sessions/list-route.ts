/** `GET /api/sessions`: the living sessions, page by page; a page costs the same however many there are. */
import { z } from 'zod';
import type { Clock } from '../../clock.ts';
import { codeOf } from '../../errors.ts';
import type { SessionRouter } from '../../session/router/session-router.ts';
import type { Store } from '../../store/contract.ts';
import { jsonAnswer } from '../core/description.ts';
import { parseQuery } from '../core/parse.ts';
import { json, problem, type Route } from '../core/router.ts';
import { describeSession, sessionSchema } from './session-description.ts';

export interface SessionsPorts {
  readonly sessions: SessionRouter;
  readonly store: Store;
  readonly clock: Clock;
}

const querySchema = z.object({
  state: z.enum(['connected', 'processing', 'idle']).optional(),
  user_id: z.string().optional(),
  cursor: z.string().optional().describe('of the page before'),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});

export const sessionPageSchema = z
  .strictObject({
    count: z.int().describe('on this page'),
    sessions: z.array(sessionSchema),
    cursor: z.string().nullable().describe('where the next page begins; null: this is the last'),
  })
  .meta({ id: 'SessionPage' });

export function sessionsRoute({ sessions, store, clock }: SessionsPorts): Route {
  return {
    method: 'GET',
    path: '/api/sessions',
    audit: 'listed',
    describe: {
      name: 'listSessions',
      summary: 'The living sessions, page by page',
      details: 'In an order that never changes: a session that lives all the while is on exactly one page.',
      query: querySchema,
      answers: { 200: jsonAnswer('A page.', sessionPageSchema) },
      errors: ['bad_request', 'store_unavailable'],
    },
    async answer({ query, requestId, about }) {
      const parsed = parseQuery(querySchema, query);
      if (parsed.kind === 'invalid') return problem('bad_request', requestId, parsed.detail);
      const { state, user_id: userId, cursor, limit } = parsed.value;
      try {
        const page = await store.list({
          ...(state === undefined ? {} : { state }),
          ...(userId === undefined ? {} : { userId }),
          ...(cursor === undefined ? {} : { cursor }),
          limit,
        });
        const views = await Promise.all(page.sessionIds.map((id) => sessions.view(id)));
        const now = clock.now();
        const described = page.sessionIds.flatMap((id, index) => {
          const view = views[index];
          // It ended between the list and the look.
          return view === null || view === undefined ? [] : [describeSession(id, view, now)];
        });
        about?.({ sessionIds: described.map(({ session_id }) => session_id) });
        return json(200, { count: described.length, sessions: described, cursor: page.cursor });
      } catch (error) {
        if (codeOf(error) === 'STORE_CURSOR')
          return problem('bad_request', requestId, 'cursor: is not one of ours');
        return problem('store_unavailable', requestId);
      }
    },
  };
}
