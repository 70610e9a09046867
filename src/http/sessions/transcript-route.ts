/** `GET /api/session/{id}/transcript`: the conversation as a file, as JSON, Markdown or FHIR. */
import { z } from 'zod';
import type { Clock } from '../../clock.ts';
import { transcriptLineSchema, transcriptLines } from '../../protocol/server-frames.ts';
import type { SessionRouter } from '../../session/router/session-router.ts';
import type { SessionView } from '../../session/router/session-view.ts';
import type { Store, TranscriptEntry } from '../../store/contract.ts';
import { fhirBundle } from '../archive/fhir.ts';
import { parseQuery } from '../core/parse.ts';
import { type HttpAnswer, json, problem, type Route } from '../core/router.ts';
import { sessionIdIn } from './find-session.ts';
import { markdownOf } from './markdown.ts';
import { sessionParamsSchema } from './session-description.ts';

export interface TranscriptPorts {
  readonly sessions: SessionRouter;
  readonly store: Store;
  readonly clock: Clock;
}

const querySchema = z.object({
  format: z.enum(['json', 'markdown', 'fhir-communication']).default('json'),
});

export const transcriptSchema = z
  .strictObject({
    session_id: z.uuid(),
    transcript: z.array(transcriptLineSchema),
  })
  .meta({ id: 'Transcript' });

export function transcriptRoute({ sessions, store, clock }: TranscriptPorts): Route {
  return {
    method: 'GET',
    path: '/api/session/:id/transcript',
    audit: 'read',
    describe: {
      name: 'downloadTranscript',
      summary: 'What was said in a session, as a file',
      params: sessionParamsSchema,
      query: querySchema,
      answers: {
        200: {
          says: 'The conversation, in order.',
          content: {
            'application/json': transcriptSchema,
            'text/markdown': z.string(),
            'application/fhir+json': z
              .looseObject({ resourceType: z.literal('Bundle'), type: z.literal('collection') })
              .describe('FHIR R4: Communication resources'),
          },
        },
      },
      errors: ['bad_request', 'session_not_found', 'store_unavailable'],
    },
    async answer({ params, query, requestId, about }) {
      const sessionId = sessionIdIn(params);
      const parsed = parseQuery(querySchema, query);
      if (parsed.kind === 'invalid') return problem('bad_request', requestId, parsed.detail);
      about?.({ format: parsed.value.format });
      let view: SessionView | null;
      let entries: readonly TranscriptEntry[];
      try {
        view = await sessions.view(sessionId);
        entries = (await store.readTranscript(sessionId)).filter((entry) => entry.role !== 'summary');
      } catch {
        return problem('store_unavailable', requestId);
      }
      if (view === null) return problem('session_not_found', requestId);
      const { userId, diagnosisId } = view.context;
      switch (parsed.value.format) {
        case 'json':
          return download(
            json(200, { session_id: sessionId, transcript: transcriptLines(entries) }),
            sessionId,
            'json',
          );
        case 'markdown':
          return download(markdown(markdownOf(sessionId, entries)), sessionId, 'md');
        case 'fhir-communication': {
          const bundle = fhirBundle({ sessionId, userId, diagnosisId }, entries, clock.now());
          const answer = json(200, bundle, { 'content-type': 'application/fhir+json; charset=utf-8' });
          return download(answer, sessionId, 'fhir.json');
        }
      }
    },
  };
}

function markdown(body: string): HttpAnswer {
  const headers = { 'content-type': 'text/markdown; charset=utf-8', 'cache-control': 'no-store' };
  return { status: 200, headers, body };
}

function download(answer: HttpAnswer, sessionId: string, ending: string): HttpAnswer {
  const disposition = `attachment; filename="${sessionId}.${ending}"`;
  return { ...answer, headers: { ...answer.headers, 'content-disposition': disposition } };
}
