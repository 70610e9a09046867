/** One session by its id, from any instance. */
import { z } from 'zod';
import type { Clock } from '../session/clock.ts';
import type { Directory } from '../session/directory.ts';
import { jsonAnswer } from './description.ts';
import { json, problem, type Route } from './router.ts';
import { describeSession, sessionParamsSchema, sessionSchema } from './session-description.ts';
import { tookEffect } from './took-effect.ts';

export interface SessionPorts {
  readonly directory: Directory;
  readonly clock: Clock;
}

export const deletionSchema = z
  .strictObject({ session_id: z.uuid(), deleted: z.boolean().describe('false: it will be') })
  .meta({ id: 'Deletion' });

export function sessionRoutes({ directory, clock }: SessionPorts): readonly Route[] {
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
      answer: async ({ params, requestId }) => {
        const sessionId = params.id?.toLowerCase() ?? '';
        const view = await directory.view(sessionId).catch(() => undefined);
        if (view === undefined) return problem('store_unavailable', requestId);
        if (view === null) return problem('session_not_found', requestId);
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
      answer: async ({ params, requestId }) => {
        const sessionId = params.id?.toLowerCase() ?? '';
        const event = { type: 'close', at: clock.now(), reason: 'admin' } as const;
        const outcome = await directory.send(sessionId, event, null);
        if (outcome.kind === 'refused') return problem(outcome.code, requestId);
        const deleted =
          outcome.kind !== 'passed' ||
          (await tookEffect(directory, clock, sessionId, (view) => view === null));
        return json(deleted ? 200 : 202, { session_id: sessionId, deleted });
      },
    },
  ];
}
