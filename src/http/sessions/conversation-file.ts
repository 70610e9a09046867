/** Writes a conversation to a file, as Markdown or FHIR. */
import { z } from 'zod';
import type { TranscriptEntry } from '../../store/contract.ts';
import { jsonPieces } from '../core/json-pieces.ts';
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

export interface ConversationFile {
  readonly headers: Readonly<Record<string, string>>;
  /** The body; each piece is made when its turn comes. */
  readonly pieces: Iterable<string>;
}

/** `lives` are the conversations under this session id, in order. */
export function conversationFile(
  format: 'markdown' | 'fhir-communication',
  session: FhirSession,
  lives: readonly (readonly TranscriptEntry[])[],
  now: number,
): ConversationFile {
  const { sessionId } = session;
  const isFhir = format === 'fhir-communication';
  return {
    headers: {
      'content-type': isFhir ? 'application/fhir+json; charset=utf-8' : 'text/markdown; charset=utf-8',
      'cache-control': 'no-store',
      ...attachment(sessionId, isFhir ? 'fhir.json' : 'md'),
    },
    pieces: isFhir ? jsonPieces(fhirBundle(session, lives.flat(), now)) : markdownOf(sessionId, lives),
  };
}

function* markdownOf(sessionId: string, lives: readonly (readonly TranscriptEntry[])[]): Generator<string> {
  for (const [life, entries] of lives.entries()) {
    yield `${life === 0 ? '' : '\n'}# Conversation ${sessionId}\n\n`;
    for (const [place, entry] of entries.entries()) yield `${place === 0 ? '' : '\n'}${sectionOf(entry)}`;
  }
}

function sectionOf({ role, content, at, author, simulated }: TranscriptEntry): string {
  const heading = role === 'user' ? (author ?? 'Question') : 'Answer';
  const mark = simulated === true ? ' (SIMULATED: it means nothing)' : '';
  return `## ${escaped(heading)}${mark}\n\n${new Date(at).toISOString()}\n\n${quoted(content)}\n`;
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
