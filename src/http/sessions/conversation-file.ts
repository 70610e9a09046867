/** Writes a conversation to a file, as Markdown or FHIR. */
import { z } from 'zod';
import type { TranscriptEntry } from '../../store/contract.ts';
import { type HttpAnswer, json } from '../core/answer.ts';
import type { AnswerDescription } from '../core/router.ts';
import { type FhirSession, fhirBundle } from './fhir.ts';

export const formatQuerySchema = z.object({
  format: z.enum(['json', 'markdown', 'fhir-communication']).default('json'),
});

/** Describes an answer in each format; `schema` is the one of JSON. */
export const inEachFormat = (description: string, schema: z.ZodType): AnswerDescription => ({
  description,
  content: {
    'application/json': schema,
    'text/markdown': z.string(),
    'application/fhir+json': z
      .looseObject({ resourceType: z.literal('Bundle'), type: z.literal('collection') })
      .describe('FHIR R4: Communication resources'),
  },
});

export const attachment = (sessionId: string, extension: string) => ({
  'content-disposition': `attachment; filename="${sessionId}.${extension}"`,
});

/** `lives` are the conversations under this session id, in order. */
export function conversationFile(
  format: 'markdown' | 'fhir-communication',
  session: FhirSession,
  lives: readonly (readonly TranscriptEntry[])[],
  now: number,
): HttpAnswer {
  const { sessionId } = session;
  if (format === 'fhir-communication') {
    const type = { 'content-type': 'application/fhir+json; charset=utf-8' };
    const bundle = fhirBundle(session, lives.flat(), now);
    return json(200, bundle, { ...type, ...attachment(sessionId, 'fhir.json') });
  }
  const type = { 'content-type': 'text/markdown; charset=utf-8', 'cache-control': 'no-store' };
  const body = lives.map((entries) => markdownOf(sessionId, entries)).join('\n');
  return { status: 200, headers: { ...type, ...attachment(sessionId, 'md') }, body };
}

function markdownOf(sessionId: string, entries: readonly TranscriptEntry[]): string {
  const parts = entries.map(({ role, content, at, author, simulated }) => {
    const heading = role === 'user' ? (author ?? 'Question') : 'Answer';
    const mark = simulated === true ? ' (SIMULATED: it means nothing)' : '';
    return `## ${escaped(heading)}${mark}\n\n${new Date(at).toISOString()}\n\n${quoted(content)}\n`;
  });
  return `# Conversation ${sessionId}\n\n${parts.join('\n')}`;
}

/** Quotes each line: text of a user or a model must not start a new section of the document. */
function quoted(text: string): string {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => `> ${line}`)
    .join('\n');
}

function escaped(name: string): string {
  return name.replace(/\s+/g, ' ').replace(/[\\`*_{}[\]<>()#!|~&]/g, '\\$&');
}
