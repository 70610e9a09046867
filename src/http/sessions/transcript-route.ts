/** Serves `GET /api/session/{id}/transcript`: the conversation of a live session as JSON, Markdown or FHIR. */
import { z } from 'zod';
import { transcriptLineSchema, transcriptLines } from '../../protocol/server-frames.ts';
import { JSON_HEADERS, Refusal } from '../core/answer.ts';
import { jsonPieces } from '../core/json-pieces.ts';
import type { LongReads } from '../core/long-reads.ts';
import type { HttpPorts } from '../core/ports.ts';
import { parseQuery } from '../core/request.ts';
import type { Route } from '../core/router.ts';
import { attachment, conversationFile, formatQuerySchema, inEachFormat } from './conversation-file.ts';
import { findSession } from './find-session.ts';
import { sessionParamsSchema } from './session-description.ts';

export const transcriptSchema = z
  .strictObject({ session_id: z.uuid(), transcript: z.array(transcriptLineSchema) })
  .meta({ id: 'Transcript' });

export function transcriptRoute(ports: HttpPorts, longReads: LongReads): Route {
  return {
    method: 'GET',
    path: '/api/session/:id/transcript',
    audit: 'read',
    describe: {
      name: 'downloadTranscript',
      summary: 'The conversation of a session, as a file',
      params: sessionParamsSchema,
      query: formatQuerySchema,
      answers: { 200: inEachFormat('The conversation, in order.', transcriptSchema) },
      errors: ['bad_request', 'session_not_found', 'store_unavailable', 'overloaded', 'draining'],
    },
    async answer(request) {
      const { format } = parseQuery(formatQuerySchema, request.query);
      request.about?.({ format });
      const { context } = await findSession(ports, request);
      const { sessionId } = context;
      const entries = await longReads.read(() =>
        ports.store.readTranscript(sessionId).catch(() => {
          throw new Refusal('store_unavailable');
        }),
      );
      const spoken = entries.filter((entry) => entry.role !== 'summary');
      if (format !== 'json') {
        const file = conversationFile(format, context, [spoken], ports.clock.now());
        return longReads.answer(request, file.headers, file.pieces);
      }
      const body = { session_id: sessionId, transcript: transcriptLines(spoken) };
      const headers = { ...JSON_HEADERS, ...attachment(sessionId, 'json') };
      return longReads.answer(request, headers, jsonPieces(body));
    },
  };
}
