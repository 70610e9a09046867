/**
 * Serves `GET /v1/sessions/{id}/events`: a session's frames as server-sent events, from an offset on.
 *
 *  EVENTS-1  A reader is present in the session like a socket, and leaves it when its connection closes.
 *  EVENTS-2  Reading creates no session.
 */
import { z } from 'zod';
import { userIdSchema } from '../../protocol/client-frames.ts';
import { type HttpAnswer, problem, Refusal } from '../core/answer.ts';
import { type HttpRequest, parseQuery, participantIn, sessionIdIn } from '../core/request.ts';
import type { Route } from '../core/router.ts';
import { sessionParamsSchema } from '../sessions/session-description.ts';
import { type LogPlace, whileAttached } from '../turns/attach-turn.ts';
import { SSE_HEADERS, seenPieceIn } from '../turns/encoder.ts';
import { takePart } from '../turns/take-part.ts';
import type { TurnPorts, TurnRequest } from '../turns/turn-request.ts';
import { keepAlive } from '../turns/turn-watch.ts';
import { EventReader } from './event-reader.ts';
import { eventsExample } from './examples.ts';

const offset = z.coerce.number().int().min(0).optional();

const eventsQuerySchema = z.object({
  after: offset.describe(
    'Offset of the last frame that the client has; 0 replays the whole kept log. Absent: only frames from now on.',
  ),
  epoch: offset.describe(
    'Epoch of the frame at `after`; with it the server recognises a log that lost writes.',
  ),
  user_id: userIdSchema.optional().describe('user who reads'),
});

const eventsHeadersSchema = z.object({
  'last-event-id': z
    .string()
    .optional()
    .describe(
      '`id` of the last event that the client saw, in place of `after`. It names no epoch: a client that must notice a log that lost writes sends `after` and `epoch`.',
    ),
});

const ROUTE = { method: 'GET', path: '/v1/sessions/:id/events' } as const;

export function eventsRoute(ports: TurnPorts): Route {
  return {
    ...ROUTE,
    describe: {
      name: 'followSession',
      summary: 'The frames of a session as server-sent events, live and from an offset on',
      details:
        'Each event is a frame of the WebSocket, with its type as `event` and its offset as `id`: `welcome`, the replay or `reset`, then live frames. A reader counts as present, so the session is `connected` while a stream is open. The stream stays open between turns. It ends with the session, with the credential, and with an `error` event if the instance drains or the session moves; `retry` then says when to reconnect. A comment comes every few seconds. A stream replaces no connection of its client.',
      params: sessionParamsSchema,
      query: eventsQuerySchema,
      headers: eventsHeadersSchema,
      answers: {
        200: {
          description: 'The frames, until the session or the connection ends.',
          content: { 'text/event-stream': z.string() },
        },
      },
      errors: [
        'bad_request',
        'forbidden',
        'identity_ended',
        'session_not_found',
        'session_expired',
        'session_moved',
        'store_unavailable',
        'audit_unavailable',
        'overloaded',
        'draining',
      ],
      example: eventsExample,
    },
    answer(request) {
      let place: LogPlace | null = null;
      return takePart(ports, request, {
        route: `${ROUTE.method} ${ROUTE.path}`,
        isStream: true,
        parse() {
          const { user_id, ...query } = parseQuery(eventsQuerySchema, request.query);
          place = placeOf(request, query);
          const sessionId = sessionIdIn(request);
          if (!z.uuid().safeParse(sessionId).success) throw new Refusal('bad_request', 'id: is not a UUID');
          return {
            // EVENTS-2
            participant: { ...participantIn(request, user_id), seesOwnOnly: true },
            sessionId,
            isNew: false,
            arrival: {},
            message: { kind: 'listen', after: place?.after ?? 0 },
          };
        },
        answer: (turn) => follow(ports, request, turn, place),
      });
    },
  };
}

/** Null: the client reads live frames only. */
function placeOf(
  { header }: HttpRequest,
  { after, epoch }: { readonly after?: number | undefined; readonly epoch?: number | undefined },
): LogPlace | null {
  const seen = seenPieceIn(header('last-event-id'));
  if (seen !== null) return { after: seen.offset, epoch: null };
  return after === undefined ? null : { after, epoch: epoch ?? null };
}

async function follow(
  ports: TurnPorts,
  request: HttpRequest,
  turn: TurnRequest,
  place: LogPlace | null,
): Promise<HttpAnswer> {
  const reader = new EventReader(place !== null);
  let attached = (_: null) => {};
  const whenAttached = new Promise<null>((resolve) => {
    attached = resolve;
  });
  // EVENTS-1
  const ended = whileAttached(ports, turn, place, reader, async () => {
    attached(null);
    return { kind: 'ended', code: await reader.ended } as const;
  });
  const first = await Promise.race([whenAttached, ended]);
  if (first?.kind === 'refused') return problem(first.code, request.requestId);
  // No body follows, so nothing else would end it.
  if (request.method === 'HEAD') reader.end('closed');
  return {
    status: 200,
    headers: SSE_HEADERS,
    body: (sink) => {
      reader.begin(sink);
      const stopKeepAlive = keepAlive(ports.clock, sink, ': \n\n');
      ended
        .then(({ code }) => reader.writeEnd(code, ports.retryAfterMs))
        .catch((error: unknown) => request.failed(error, request.requestId))
        .finally(() => {
          stopKeepAlive();
          sink.end();
        });
    },
  };
}
