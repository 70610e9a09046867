/** One session by its id, from any instance. */
import { z } from 'zod';
import type { Clock } from '../../clock.ts';
import type { SessionRouter } from '../../session/router/session-router.ts';
import { jsonAnswer } from '../core/description.ts';
import { json, problem, type Route } from '../core/router.ts';
import { findSession, sessionIdIn } from './find-session.ts';
import { sendAndWait } from './send-and-wait.ts';
import { describeSession, sessionParamsSchema, sessionSchema } from './session-description.ts';

export interface SessionPorts {
  readonly sessions: SessionRouter;
  readonly clock: Clock;
}

export const deletionSchema = z
  .strictObject({ session_id: z.uuid(), deleted: z.boolean().describe('false: it will be') })
  .meta({ id: 'Deletion' });

const UNREADABLE =
  'What is stored of the session cannot be read, so it cannot be archived. With erase=true it is deleted unread.';

export function sessionRoutes({ sessions, clock }: SessionPorts): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/api/session/:id',
      audit: 'read',
      describe: {
        name: 'getSession',
        summary: 'What is known of a session, but not what was said in it',
        params: sessionParamsSchema,
        answers: { 200: jsonAnswer('The session.', sessionSchema) },
        errors: ['session_not_found', 'store_unavailable'],
      },
      async answer(request) {
        const looked = await findSession(sessions, request);
        if (looked.kind === 'refused') return looked.answer;
        const { sessionId, view } = looked;
        return json(200, describeSession(sessionId, view, clock.now()));
      },
    },
    {
      method: 'DELETE',
      path: '/api/session/:id',
      audit: 'deleted',
      describe: {
        name: 'deleteSession',
        summary: 'Ends a session and deletes it, at once',
        params: sessionParamsSchema,
        details: 'A running turn is cancelled; every socket of the session is closed.',
        answers: {
          200: jsonAnswer('It is deleted.', deletionSchema),
          202: jsonAnswer(
            'Whoever serves it does not answer: it is deleted when its lease is over.',
            deletionSchema,
          ),
        },
        errors: [
          'session_not_found',
          'session_moved',
          'store_unavailable',
          'archive_unavailable',
          'overloaded',
        ],
      },
      async answer({ params, requestId }) {
        const sessionId = sessionIdIn(params);
        const event = { type: 'close', at: clock.now(), reason: 'admin' } as const;
        const end = await sendAndWait({ sessions, clock }, sessionId, event, (view) => view === null);
        if (end.kind === 'refused')
          return problem(end.code, requestId, end.code === 'internal' ? UNREADABLE : undefined);
        const deleted = end.kind === 'done';
        return json(deleted ? 200 : 202, { session_id: sessionId, deleted });
      },
    },
  ];
}
