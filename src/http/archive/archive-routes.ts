/** Searches, reads and exports ended conversations. */
import { z } from 'zod';
import type { ArchivedSession, SearchQuery } from '../../archive/archive.ts';
import { readsWords } from '../../identity/permissions.ts';
import { nameSchema, userIdSchema } from '../../protocol/client-frames.ts';
import type { TranscriptEntry } from '../../store/contract.ts';
import { JSON_HEADERS, json, Refusal } from '../core/answer.ts';
import { jsonPieces, lazily } from '../core/json-pieces.ts';
import type { LongReads } from '../core/long-reads.ts';
import type { HttpPorts } from '../core/ports.ts';
import { type HttpRequest, parseQuery, participantIn, sessionIdIn, tenantOf } from '../core/request.ts';
import { jsonAnswer, type Route } from '../core/router.ts';
import { conversationFile, formatQuerySchema, inEachFormat } from '../sessions/conversation-file.ts';
import { exportPieces } from './archive-export.ts';
import {
  archivedHead,
  archivedPageSchema,
  archivedWhole,
  exportPageSchema,
  livesSchema,
} from './archived-session.ts';
import { refuseArchive } from './refuse-archive.ts';

export const momentSchema = z
  .string()
  .refine((text) => !Number.isNaN(momentOf(text)), 'is a date, or ms since the epoch')
  .transform(momentOf)
  .describe('an ISO 8601 date, or ms since the epoch');

const filters = {
  text: z.string().max(1_024).exactOptional().describe('words that all occur in the conversation'),
  user_id: userIdSchema.exactOptional(),
  diagnosis_id: nameSchema.exactOptional(),
  from: momentSchema.exactOptional().describe('sessions created at this time or later'),
  to: momentSchema.exactOptional().describe('sessions created before this time'),
  cursor: z.string().exactOptional().describe('`cursor` of the previous page'),
};
const searchSchema = z.object({ ...filters, limit: z.coerce.number().int().min(1).max(200).default(50) });
/** Fewer, because whole conversations are long. */
const exportSchema = z.object({ ...filters, limit: z.coerce.number().int().min(1).max(50).default(20) });

export function archiveRoutes({ archive, clock }: HttpPorts, longReads: LongReads): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/api/archive',
      audit: 'read',
      describe: {
        name: 'searchArchive',
        summary: 'Ended conversations, newest first',
        query: searchSchema,
        answers: { 200: jsonAnswer('One page of conversations.', archivedPageSchema) },
        errors: ['bad_request', 'archive_unavailable'],
      },
      async answer(request) {
        const { caller, query, about } = request;
        const wanted = searchOf(parseQuery(searchSchema, query));
        const seesWords = readsWords(caller);
        // A search would tell an auditor which conversations hold a word.
        if (!seesWords && wanted.text !== undefined)
          throw new Refusal('forbidden', 'text: an auditor reads no words');
        const { hits, cursor } = await archive.of(tenantOf(request)).search(wanted).catch(refuseArchive);
        about?.({ sessionIds: hits.map(({ sessionId }) => sessionId) });
        const sessions = hits.map((hit) => ({
          ...archivedHead(hit, seesClients(request)),
          snippet: seesWords ? hit.snippet : null,
        }));
        return json(200, { count: sessions.length, sessions, cursor });
      },
    },
    {
      method: 'GET',
      path: '/api/archive/export',
      audit: 'exported',
      describe: {
        name: 'exportArchive',
        summary: 'Ended conversations in full, page by page',
        query: exportSchema,
        answers: { 200: jsonAnswer('One page of conversations.', exportPageSchema) },
        errors: ['bad_request', 'archive_unavailable', 'overloaded', 'draining'],
      },
      async answer(request) {
        const wanted = searchOf(parseQuery(exportSchema, request.query));
        const own = archive.of(tenantOf(request));
        const found = await longReads.read(() => own.search(wanted).catch(refuseArchive));
        request.about?.({ sessionIds: found.hits.map(({ sessionId }) => sessionId) });
        return longReads.answer(
          request,
          JSON_HEADERS,
          await exportPieces(own, longReads, found, seesClients(request)),
        );
      },
    },
    {
      method: 'GET',
      path: '/api/archive/:id',
      audit: 'read',
      describe: {
        name: 'readArchived',
        summary: 'The conversation of an ended session, in each of its lives',
        params: z.object({ id: z.string() }),
        query: formatQuerySchema,
        answers: { 200: inEachFormat('Every life of the session.', livesSchema) },
        errors: ['bad_request', 'session_not_found', 'archive_unavailable', 'overloaded', 'draining'],
      },
      async answer(request) {
        const { format } = parseQuery(formatQuerySchema, request.query);
        request.about?.({ format });
        const sessionId = sessionIdIn(request);
        const own = archive.of(tenantOf(request));
        const found = await longReads.read(() => own.read(sessionId).catch(refuseArchive));
        const lives = livesFor(request, found);
        const [latest] = lives;
        if (latest === undefined) throw new Refusal('session_not_found');
        if (format === 'json') {
          const whole = (life: ArchivedSession) => archivedWhole(life, seesClients(request));
          const body = { session_id: sessionId, lives: lazily(lives, whole) };
          return longReads.answer(request, JSON_HEADERS, jsonPieces(body));
        }
        const { userId, diagnosisId } = latest;
        const session = { sessionId, userId, diagnosisId };
        const file = conversationFile(format, session, lives.map(entriesOf).toReversed(), clock.now());
        return longReads.answer(request, file.headers, file.pieces);
      },
    },
  ];
}

/** Operators need not know the devices of a conversation's owner. */
function seesClients({ caller, reach }: HttpRequest): boolean {
  return caller.kind === 'open' || reach === 'own';
}

/** A user reads the lives that it owned: the shares of a session end with it. */
function livesFor(request: HttpRequest, lives: readonly ArchivedSession[]): readonly ArchivedSession[] {
  if (request.reach === 'all') return lives;
  const { userId } = participantIn(request);
  return lives.filter((life) => life.userId === userId);
}

function momentOf(text: string): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : Date.parse(text);
}

function searchOf({ user_id, diagnosis_id, ...rest }: z.infer<typeof searchSchema>): SearchQuery {
  return {
    ...rest,
    ...(user_id !== undefined && { userId: user_id }),
    ...(diagnosis_id !== undefined && { diagnosisId: diagnosis_id }),
  };
}

function entriesOf({ lines }: ArchivedSession): readonly TranscriptEntry[] {
  return lines.map(({ author, ...line }) => (author === null ? line : { ...line, author }));
}
