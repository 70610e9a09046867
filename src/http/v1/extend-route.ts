/** Serves `POST /v1/sessions/{id}/extend`: keeps an idle session open, as the WebSocket's `extend` does. */
import { z } from 'zod';
import { endsOf } from '../../../machines/deadlines.ts';
import { userIdSchema } from '../../protocol/client-frames.ts';
import { json, Refusal } from '../core/answer.ts';
import { parseOptionalBody, sessionIdIn } from '../core/request.ts';
import { jsonAnswer, type Route } from '../core/router.ts';
import { sendAndWait } from '../sessions/find-session.ts';
import { sessionParamsSchema } from '../sessions/session-description.ts';
import type { TurnPorts } from '../turns/turn-request.ts';
import { extendExample } from './examples.ts';
import { limitedWrite, writableSession, writerOf } from './writable-session.ts';

const extendRequestSchema = z
  .strictObject({ user_id: userIdSchema.optional().describe('user who extends') })
  .meta({ id: 'ExtendRequest' });

const extensionSchema = z
  .strictObject({
    session_id: z.uuid(),
    expires_at: z.int().describe('when the session ends if it stays idle, in ms since the epoch'),
    absolute_expires_at: z.int().describe('when it ends in any case; `extend` does not move it'),
  })
  .meta({ id: 'Extension' });

export function extendRoute(ports: TurnPorts): Route {
  return {
    method: 'POST',
    path: '/v1/sessions/:id/extend',
    audit: 'extended',
    describe: {
      name: 'extendSession',
      summary: 'Keeps a session open: its idle time begins again',
      details: 'Answers both deadlines as they are now stored. Counts as a message for the rate limit.',
      params: sessionParamsSchema,
      body: extendRequestSchema,
      isBodyOptional: true,
      answers: { 200: jsonAnswer('The deadlines.', extensionSchema) },
      errors: [
        'bad_request',
        'too_large',
        'forbidden',
        'session_not_found',
        'session_expired',
        'session_moved',
        'store_unavailable',
        'overloaded',
        'draining',
      ],
      example: extendExample,
    },
    async answer(request) {
      const why = ports.unavailable();
      if (why !== null) throw new Refusal(why);
      const { user_id } = await parseOptionalBody(extendRequestSchema, request);
      const session_id = sessionIdIn(request);
      const writer = writerOf(request, user_id);
      if ((await writableSession(ports, request, writer)) === null) throw new Refusal('session_not_found');
      const limited = await limitedWrite(ports, request, writer);
      if (limited !== null) return limited;
      const at = ports.clock.now();
      const event = { type: 'extend', at, ...writer.by } as const;
      const isExtended = await sendAndWait(
        ports,
        session_id,
        event,
        (view) => view === null || view.context.lastActivityAt >= at,
      );
      if (!isExtended) throw new Refusal('session_moved');
      const view = await ports.sessions.view(session_id).catch(() => undefined);
      if (view === undefined) throw new Refusal('store_unavailable');
      if (view === null) throw new Refusal('session_expired');
      const { expiresAt, absoluteExpiresAt } = endsOf(view.context);
      return json(200, { session_id, expires_at: expiresAt, absolute_expires_at: absoluteExpiresAt });
    },
  };
}
