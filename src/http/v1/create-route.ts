/**
 * Serves `POST /v1/sessions`: a session before its first message, with an id of the server or of the client.
 *
 *  CREATE-1  Under AUTH the id of a client leads to a session of its own user only: a client must neither learn that the
 *            session of another user exists, nor take its id.
 */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { ClientConnection } from '../../delivery/client-connection.ts';
import { nameSchema, patientSchema, userIdSchema } from '../../protocol/client-frames.ts';
import { derivedUuid } from '../../protocol/derived-uuid.ts';
import { type HttpAnswer, json, problem, Refusal } from '../core/answer.ts';
import { type HttpRequest, parseOptionalBody, participantIn } from '../core/request.ts';
import { jsonAnswer, type Route } from '../core/router.ts';
import { describeSession, sessionSchema } from '../sessions/session-description.ts';
import { isOwner } from '../sessions/session-routes.ts';
import { whileAttached } from '../turns/attach-turn.ts';
import { reachableLives, reachableSession, sessionQuery } from '../turns/find-turn.ts';
import { takePart } from '../turns/take-part.ts';
import type { TurnInput, TurnPorts, TurnRequest } from '../turns/turn-request.ts';
import { createExample } from './examples.ts';

const createRequestSchema = z
  .strictObject({
    id: z
      .uuid()
      .optional()
      .describe(
        'Names the session: a request that is sent again, to any instance, gets the same session. With `AUTH` the server derives `session_id` from it and the user, unless the user has a session of this id. Absent: the server chooses.',
      ),
    client_id: nameSchema.optional(),
    user_id: userIdSchema.optional().describe('owner of the session'),
    diagnosis_id: nameSchema.optional(),
    patient: patientSchema.optional().describe("Merged field by field into the session's patient data."),
  })
  .meta({ id: 'CreateRequest' });

const ROUTE = { method: 'POST', path: '/v1/sessions' } as const;

export function createRoute(ports: TurnPorts): Route {
  return {
    ...ROUTE,
    describe: {
      name: 'createSession',
      summary: 'Starts a session, or finds it again by its id',
      details: 'The WebSocket and every other route serve the same session.',
      body: createRequestSchema,
      isBodyOptional: true,
      answers: {
        200: jsonAnswer('The session existed already.', sessionSchema),
        201: jsonAnswer('The session is new.', sessionSchema),
      },
      errors: [
        'bad_request',
        'too_large',
        'forbidden',
        'session_not_found',
        'session_expired',
        'session_moved',
        'too_many_sessions',
        'store_unavailable',
        'archive_unavailable',
        'audit_unavailable',
        'overloaded',
        'draining',
      ],
      example: createExample,
    },
    answer(request) {
      let owner: string | undefined;
      return takePart(ports, request, {
        route: `${ROUTE.method} ${ROUTE.path}`,
        isStream: false,
        async parse() {
          const { id, user_id, ...arrival } = await parseOptionalBody(createRequestSchema, request);
          owner = user_id;
          return { ...(await placeOf(ports, request, id, user_id)), arrival, message: NO_MESSAGE };
        },
        answer: (turn) => answerSession(ports, request, turn, owner),
      });
    },
  };
}

const NO_MESSAGE = { kind: 'listen', after: 0 } as const;

/** CREATE-1 */
async function placeOf(
  ports: TurnPorts,
  request: HttpRequest,
  id: string | undefined,
  claimed: string | undefined,
): Promise<Pick<TurnInput, 'participant' | 'sessionId' | 'isNew'>> {
  const participant = participantIn(request, claimed);
  if (id === undefined) return { participant, sessionId: randomUUID(), isNew: true };
  const named = { participant, sessionId: id.toLowerCase(), isNew: false };
  if (!participant.seesOwnOnly) return named;
  const query = sessionQuery(request, named.sessionId, participant);
  if ((await reachableSession(ports, query)) !== null) return named;
  if ((await reachableLives(ports, query)).length > 0) return { ...named, isNew: true };
  const { tenant, userId } = participant;
  const sessionId = derivedUuid('session', tenant, userId ?? '', named.sessionId);
  return { participant, sessionId, isNew: true };
}

async function answerSession(
  ports: TurnPorts,
  request: HttpRequest,
  turn: TurnRequest,
  claimed: string | undefined,
): Promise<HttpAnswer> {
  let isCreated = false;
  const onUnknown = () => {
    isCreated = true;
    turn.onUnknown();
  };
  const noteNew = { ...turn, onUnknown };
  const refused = await whileAttached(ports, noteNew, null, visitor(), async () => null);
  if (refused !== null) return problem(refused.code, request.requestId);
  const view = await ports.sessions.view(turn.sessionId).catch(() => undefined);
  if (view === undefined) throw new Refusal('store_unavailable');
  if (view === null) throw new Refusal('session_expired');
  const now = ports.clock.now();
  return json(isCreated ? 201 : 200, describeSession(view, now, isOwner(request, view, now, claimed)));
}

/** It comes, so that the session begins, and leaves. */
export function visitor(): ClientConnection {
  return { id: randomUUID(), standsAlone: true, send: () => true, refuse() {}, end() {} };
}
