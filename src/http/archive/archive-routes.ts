/** Conversations that ended: found by words, user, diagnosis and date; read, downloaded and exported. */
import { z } from 'zod';
import type { Archive, ArchivedHead, ArchivedSession, SearchQuery } from '../../archive/archive.ts';
import type { Clock } from '../../clock.ts';
import { codeOf } from '../../errors.ts';
import type { TranscriptEntry } from '../../store/contract.ts';
import { type Answer, jsonAnswer } from '../core/description.ts';
import { parseQuery } from '../core/parse.ts';
import { type HttpAnswer, json, problem, type Route } from '../core/router.ts';
import { sessionIdIn } from '../sessions/find-session.ts';
import { markdownOf } from '../sessions/markdown.ts';
import { archivedHead, archivedPageSchema, archivedSchema, archivedWhole } from './archived-session.ts';
import { fhirBundle } from './fhir.ts';

export interface ArchivePorts {
  readonly archive: Archive;
  readonly clock: Clock;
}

/** A moment as people write it, or as programs do. */
export const momentSchema = z
  .string()
  .refine((text) => !Number.isNaN(momentOf(text)), 'is a date, or ms since the epoch')
  .transform(momentOf)
  .describe('a date as of ISO 8601, or ms since the epoch');

const filters = {
  text: z.string().max(1_024).optional().describe('words; all of them occur'),
  user_id: z.string().optional(),
  diagnosis_id: z.string().optional(),
  from: momentSchema.optional().describe('began then or later'),
  to: momentSchema.optional().describe('began before then'),
  cursor: z.string().optional().describe('of the page before'),
};
const searchSchema = z.object({ ...filters, limit: z.coerce.number().int().min(1).max(200).default(50) });
/** Whole conversations are long. */
const exportSchema = z.object({ ...filters, limit: z.coerce.number().int().min(1).max(50).default(20) });
const readSchema = z.object({ format: z.enum(['json', 'markdown', 'fhir-communication']).default('json') });

const exportPageSchema = z
  .strictObject({ count: z.int(), sessions: z.array(archivedSchema), cursor: z.string().nullable() })
  .meta({ id: 'ArchiveExport' });
const livesSchema = z
  .strictObject({ session_id: z.string(), lives: z.array(archivedSchema).describe('the newest first') })
  .meta({ id: 'ArchivedLives' });
const readAnswer: Answer = {
  says: 'Every life of the session.',
  content: {
    'application/json': livesSchema,
    'text/markdown': z.string(),
    'application/fhir+json': z
      .looseObject({ resourceType: z.literal('Bundle'), type: z.literal('collection') })
      .describe('FHIR R4: Communication resources'),
  },
};

export function archiveRoutes({ archive, clock }: ArchivePorts): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/api/archive',
      audit: 'read',
      describe: {
        name: 'searchArchive',
        summary: 'Conversations that ended, newest first',
        query: searchSchema,
        answers: { 200: jsonAnswer('A page.', archivedPageSchema) },
        errors: ['bad_request', 'archive_unavailable'],
      },
      async answer({ query, requestId, about }) {
        const parsed = parseQuery(searchSchema, query);
        if (parsed.kind === 'invalid') return problem('bad_request', requestId, parsed.detail);
        return archiveAnswer(requestId, async () => {
          const { hits, cursor } = await archive.search(searchOf(parsed.value));
          about?.({ sessionIds: hits.map(({ sessionId }) => sessionId) });
          const sessions = hits.map((hit) => ({ ...archivedHead(hit), snippet: hit.snippet }));
          return json(200, { count: sessions.length, sessions, cursor });
        });
      },
    },
    {
      method: 'GET',
      path: '/api/archive/export',
      audit: 'read',
      describe: {
        name: 'exportArchive',
        summary: 'Whole conversations that ended, page by page',
        query: exportSchema,
        answers: { 200: jsonAnswer('A page.', exportPageSchema) },
        errors: ['bad_request', 'archive_unavailable'],
      },
      async answer({ query, requestId, about }) {
        const parsed = parseQuery(exportSchema, query);
        if (parsed.kind === 'invalid') return problem('bad_request', requestId, parsed.detail);
        return archiveAnswer(requestId, async () => {
          const { hits, cursor } = await archive.search(searchOf(parsed.value));
          about?.({ sessionIds: hits.map(({ sessionId }) => sessionId) });
          const lives: ArchivedSession[] = [];
          for (const hit of hits) lives.push(...(await archive.read(hit.sessionId)).filter(isLife(hit)));
          return json(200, { count: lives.length, sessions: lives.map(archivedWhole), cursor });
        });
      },
    },
    {
      method: 'GET',
      path: '/api/archive/:id',
      audit: 'read',
      describe: {
        name: 'readArchived',
        summary: 'What was said in a session that ended, in every life that it had',
        query: readSchema,
        answers: { 200: readAnswer },
        errors: ['bad_request', 'session_not_found', 'archive_unavailable'],
      },
      async answer({ params, query, requestId, about }) {
        const parsed = parseQuery(readSchema, query);
        if (parsed.kind === 'invalid') return problem('bad_request', requestId, parsed.detail);
        about?.({ format: parsed.value.format });
        const sessionId = sessionIdIn(params);
        return archiveAnswer(requestId, async () => {
          const lives = await archive.read(sessionId);
          if (lives.length === 0) return problem('session_not_found', requestId);
          return file(sessionId, lives, parsed.value.format, clock.now());
        });
      },
    },
  ];
}

/** What the archive refused or could not do, in the words of HTTP. */
export async function archiveAnswer(requestId: string, ask: () => Promise<HttpAnswer>): Promise<HttpAnswer> {
  try {
    return await ask();
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ARCHIVE_BAD_CURSOR') return problem('bad_request', requestId, 'cursor: is not one of ours');
    if (code.startsWith('ARCHIVE_')) return problem('archive_unavailable', requestId);
    if (code.startsWith('STORE_')) return problem('store_unavailable', requestId);
    throw error;
  }
}

const isLife = (hit: ArchivedHead) => (life: ArchivedSession) => life.createdAt === hit.createdAt;

function momentOf(text: string): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : Date.parse(text);
}

function searchOf(asked: z.infer<typeof searchSchema>): SearchQuery {
  const { user_id: userId, diagnosis_id: diagnosisId, text, from, to, cursor, limit } = asked;
  return {
    limit,
    ...(text === undefined ? {} : { text }),
    ...(userId === undefined ? {} : { userId }),
    ...(diagnosisId === undefined ? {} : { diagnosisId }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(cursor === undefined ? {} : { cursor }),
  };
}

function file(
  sessionId: string,
  lives: readonly ArchivedSession[],
  format: z.infer<typeof readSchema>['format'],
  now: number,
): HttpAnswer {
  if (format === 'json') return json(200, { session_id: sessionId, lives: lives.map(archivedWhole) });
  const inOrder = lives.toReversed();
  const named = (ending: string) => ({
    'content-disposition': `attachment; filename="${sessionId}.${ending}"`,
  });
  if (format === 'markdown') {
    const type = { 'content-type': 'text/markdown; charset=utf-8', 'cache-control': 'no-store' };
    const body = inOrder.map((life) => markdownOf(sessionId, entriesOf(life))).join('\n');
    return { status: 200, headers: { ...type, ...named('md') }, body };
  }
  const { userId, diagnosisId } = lives[0] ?? { userId: null, diagnosisId: null };
  const bundle = fhirBundle({ sessionId, userId, diagnosisId }, inOrder.flatMap(entriesOf), now);
  return json(200, bundle, { 'content-type': 'application/fhir+json; charset=utf-8', ...named('fhir.json') });
}

function entriesOf({ lines }: ArchivedSession): readonly TranscriptEntry[] {
  return lines.map(({ author, ...line }) => (author === null ? line : { ...line, author }));
}
