/** Serves `GET /api/session/{id}/history`: how a session came to its state, without a word of its conversation. */
import { z } from 'zod';
import { codeOf } from '../../errors.ts';
import {
  fileOf,
  type HistoryFile,
  historyFileSchema,
  historyOfArchived,
} from '../../session/history/history-file.ts';
import { readRecords } from '../../session/history/record.ts';
import { wordlessOf } from '../../session/history/wordless.ts';
import { readSnapshot } from '../../session/machine/snapshot.ts';
import { refuseArchive } from '../archive/refuse-archive.ts';
import { JSON_HEADERS, Refusal } from '../core/answer.ts';
import { jsonPieces } from '../core/json-pieces.ts';
import type { LongReads } from '../core/long-reads.ts';
import type { HttpPorts } from '../core/ports.ts';
import { type HttpRequest, parseQuery, participantIn, sessionIdIn, tenantOf } from '../core/request.ts';
import type { Route } from '../core/router.ts';
import { attachment } from './conversation-file.ts';
import { findSession } from './find-session.ts';
import { historyCsv } from './history-csv.ts';
import { sessionParamsSchema } from './session-description.ts';
import { isOwner } from './session-routes.ts';

const historyQuerySchema = z.object({
  format: z
    .enum(['json', 'csv'])
    .exactOptional()
    .describe('absent: `csv` with `Accept: text/csv`, else `json`'),
});

const CSV_HEADERS = { 'content-type': 'text/csv; charset=utf-8', 'cache-control': 'no-store' };

export function historyRoute(ports: HttpPorts, longReads: LongReads): Route {
  return {
    method: 'GET',
    path: '/api/session/:id/history',
    audit: 'read',
    describe: {
      name: 'readHistory',
      summary: 'The transitions of a session, live or ended, without its conversation',
      params: sessionParamsSchema,
      query: historyQuerySchema,
      details:
        'Each record names the event, the states, the guards and actions of the chart, and the instance. `HISTORY_MAX` bounds their number. Of an id that was used again, the newest life answers. `npm run replay` plays the answer and checks it.',
      answers: {
        200: {
          description: 'The history, oldest record first.',
          content: { 'application/json': historyFileSchema, 'text/csv': z.string() },
        },
      },
      errors: [
        ...(['bad_request', 'session_not_found', 'store_unavailable', 'archive_unavailable'] as const),
        ...(['overloaded', 'draining'] as const),
      ],
    },
    async answer(request) {
      const { format = wantedFormat(request) } = parseQuery(historyQuerySchema, request.query);
      request.about?.({ format });
      const file =
        (await liveHistory(ports, longReads, request)) ?? (await archived(ports, longReads, request));
      if (file === null) throw new Refusal('session_not_found');
      const name = attachment(`${file.session_id}.history`, format);
      if (format === 'csv')
        return longReads.answer(request, { ...CSV_HEADERS, ...name }, historyCsv(file.records));
      return longReads.answer(request, { ...JSON_HEADERS, ...name }, jsonPieces(file));
    },
  };
}

function wantedFormat(request: HttpRequest): 'json' | 'csv' {
  return request.header('accept').includes('text/csv') ? 'csv' : 'json';
}

/** Null if no session with this id is live, or the caller may not reach it. */
async function liveHistory(
  ports: HttpPorts,
  longReads: LongReads,
  request: HttpRequest,
): Promise<HistoryFile | null> {
  const view = await findSession(ports, request).catch((error: unknown) => {
    if (codeOf(error) === 'session_not_found') return null;
    throw error;
  });
  if (view === null) return null;
  const { sessionId } = view.context;
  const found = await longReads.read(() =>
    ports.store.readHistory(sessionId).catch(() => {
      throw new Refusal('store_unavailable');
    }),
  );
  const read = found === null ? null : readSnapshot(found.record.snapshot);
  if (found === null || read?.kind !== 'opened') return null;
  const { version } = found.record;
  const history = {
    sessionId,
    version,
    records: readRecords(found.history),
    state: wordlessOf(read.snapshot),
  };
  return fileOf(history, null, isOwner(request, view, ports.clock.now()));
}

/** A user reads the lives that it owned. */
async function archived(
  { archive }: HttpPorts,
  longReads: LongReads,
  request: HttpRequest,
): Promise<HistoryFile | null> {
  const sessionId = sessionIdIn(request);
  const own = archive.of(tenantOf(request));
  const lives = await longReads.read(() => own.histories(sessionId).catch(refuseArchive));
  const { userId } = participantIn(request);
  const life = lives.find((one) => request.reach === 'all' || one.userId === userId);
  if (life === undefined) return null;
  const forOwner = request.caller.kind === 'open' || request.reach === 'own';
  return fileOf(historyOfArchived(sessionId, life.text), life.endedAt, forOwner);
}
