/** Serves `POST /v1/sessions/{id}/fork`: copies the turns so far into a new session of the same owner. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { messageIdSchema, userIdSchema } from '../../protocol/client-frames.ts';
import { forkSession } from '../../session/router/fork.ts';
import { json, Refusal } from '../core/answer.ts';
import { parseOptionalBody } from '../core/request.ts';
import { jsonAnswer, type Route } from '../core/router.ts';
import { sessionParamsSchema } from '../sessions/session-description.ts';
import type { TurnPorts } from '../turns/turn-request.ts';
import { forkExample } from './examples.ts';
import { sessionUuidIn } from './message-route.ts';
import { limitedWrite, writableSession, writerOf } from './writable-session.ts';

const turn = z.string().min(1).max(64).optional();

const forkRequestSchema = z
  .strictObject({
    id: messageIdSchema
      .optional()
      .describe('Names the request: sent again, to any instance, it gets the same session.'),
    after: turn.describe('the last turn that is copied'),
    before: turn.describe('the first turn that is not copied'),
    user_id: userIdSchema.optional().describe('owner of the session'),
  })
  .refine(({ after, before }) => after === undefined || before === undefined, {
    error: 'after or before, not both',
  })
  .meta({ id: 'ForkRequest' });

const forkSchema = z
  .strictObject({
    session_id: z.uuid().describe('the new session'),
    origin: z.strictObject({
      session_id: z.uuid(),
      turn_id: z.string().nullable().describe('the last turn that was copied; null: none was'),
    }),
  })
  .meta({ id: 'Fork' });

export function forkRoute(ports: TurnPorts): Route {
  return {
    method: 'POST',
    path: '/v1/sessions/:id/fork',
    audit: 'forked',
    describe: {
      name: 'forkSession',
      summary: 'Copies the turns so far into a new session of the same owner',
      details:
        'Without `after` and `before` all ended turns are copied, with the data of the patient and without shares. Only the owner forks. The session itself stays as it is.',
      params: sessionParamsSchema,
      body: forkRequestSchema,
      isBodyOptional: true,
      answers: { 201: jsonAnswer('The new session.', forkSchema) },
      errors: [
        'bad_request',
        'too_large',
        'forbidden',
        'session_not_found',
        'session_moved',
        'unknown_turn',
        'too_many_sessions',
        'store_unavailable',
        'overloaded',
        'draining',
      ],
      example: forkExample,
    },
    async answer(request) {
      const why = ports.unavailable();
      if (why !== null) throw new Refusal(why);
      const {
        id = randomUUID(),
        after,
        before,
        user_id,
      } = await parseOptionalBody(forkRequestSchema, request);
      const sessionId = sessionUuidIn(request);
      const writer = writerOf(request, user_id);
      if ((await writableSession(ports, request, writer)) === null) throw new Refusal('session_not_found');
      const limited = await limitedWrite(ports, request, writer);
      if (limited !== null) return limited;
      const { participant } = writer;
      const forked = await forkSession(ports, { sessionId, id, after, before, participant }, null);
      if (forked.kind === 'refused') throw new Refusal(forked.code);
      const origin = { session_id: sessionId, turn_id: forked.turnId };
      return json(201, { session_id: forked.sessionId, origin });
    },
  };
}
