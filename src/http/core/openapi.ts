/** Builds the OpenAPI 3.1 document from the descriptions of the routes and the table of errors. */
import type { z } from 'zod';
import { type ErrorCode, errors } from '../../errors.ts';
import { version } from '../../startup/version.ts';
import { problemSchema } from './answer.ts';
import type { Description, Route } from './router.ts';
import { type Json, SchemaBook } from './schema-book.ts';
import { actingParameters, openapiSchemes, securityOf } from './security-schemes.ts';

export function openapiDocument(routes: readonly Route[]): Json {
  const book = new SchemaBook('draft-2020-12');
  const paths: Record<string, Record<string, Json>> = {};
  for (const { path, method, describe } of routes) {
    if (describe === undefined) continue;
    const template = path.replace(/:(\w+)/g, '{$1}');
    paths[template] = {
      ...paths[template],
      [method.toLowerCase()]: operationOf(describe, book, tagOf(path)),
    };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Rehydra',
      version,
      description:
        'Conversations with a language model as durable sessions. A WebSocket serves the same sessions: see /asyncapi.json.',
    },
    tags: TAGS.map(([name]) => ({ name })),
    paths,
    components: { schemas: book.named, securitySchemes: openapiSchemes },
  };
}

/** Groups the routes by door, in the order of the pages that show them: the first prefix of a path that matches. */
const TAGS = [
  ['Sessions', ['/v1/sessions']],
  ['OpenAI', ['/v1/responses', '/v1/conversations', '/v1/models']],
  ['AI SDK', ['/api/chat']],
  ['AG-UI', ['/api/ag-ui']],
  ['Consultation', ['/api/protocol']],
  ['Sessions of a user', ['/api/session', '/api/sessions']],
  ['Archive', ['/api/archive', '/api/users']],
  ['Operations', ['/healthz', '/readyz', '/metrics', '/api/analytics', '/dashboard']],
  ['Pages and documents', ['/']],
] as const;

function tagOf(path: string): string {
  const isUnder = (prefix: string) => prefix === '/' || path === prefix || path.startsWith(`${prefix}/`);
  const found = TAGS.find(([, prefixes]) => prefixes.some(isUnder));
  if (found === undefined) throw new Error(`no tag has ${path}`);
  return found[0];
}

function operationOf(describe: Description, book: SchemaBook, tag: string): Json {
  const { name, summary, details: description, body, params, query, headers, credential } = describe;
  const { isBodyOptional = false, example } = describe;
  const parameters = [
    ...parametersOf('path', params, book, example?.params),
    ...parametersOf('query', query, book, example?.query),
    ...parametersOf('header', headers, book),
    ...(credential === undefined ? [] : actingParameters(credential)),
  ];
  const requestBody = body && {
    required: !isBodyOptional,
    content: contentOf({ 'application/json': body }, 'input', book, { 'application/json': example?.body }),
  };
  return {
    operationId: name,
    tags: [tag],
    summary,
    ...(description && { description }),
    ...(credential && { security: securityOf(credential) }),
    ...(parameters.length > 0 && { parameters }),
    ...(requestBody && { requestBody }),
    responses: responsesOf(describe, book),
  };
}

function parametersOf(
  place: 'path' | 'query' | 'header',
  schema: z.ZodObject | undefined,
  book: SchemaBook,
  examples: Json = {},
): readonly Json[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = book.of(schema, 'input') as {
    readonly properties?: Readonly<Record<string, Json>>;
    readonly required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: place,
    ...(description !== undefined && { description }),
    required: required.includes(name),
    schema: rest,
    ...(examples[name] !== undefined && { example: examples[name] }),
  }));
}

function responsesOf(
  { answers, errors: codes = [], example, errorForm }: Description,
  book: SchemaBook,
): Json {
  const responses: Record<number, Json> = {};
  for (const [status, { description, content }] of Object.entries(answers))
    responses[Number(status)] = {
      description,
      content: contentOf(content, 'output', book, example?.answers[Number(status)]),
    };
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of new Set<ErrorCode>([...codes, 'internal']))
    byStatus.set(errors[code].status, [...(byStatus.get(errors[code].status) ?? []), code]);
  for (const [status, those] of byStatus)
    responses[status] = {
      description: those.map((code) => `\`${code}\`: ${errors[code].text}`).join('\n\n'),
      ...((status === 429 || status === 503) && { headers: RETRY_AFTER }),
      content: contentOf({ 'application/json': errorForm?.schema ?? problemSchema }, 'output', book),
    };
  return responses;
}

const RETRY_AFTER = {
  'Retry-After': { description: 'Seconds to wait', schema: { type: 'integer', minimum: 1 } },
};

function contentOf(
  content: Readonly<Record<string, z.ZodType>>,
  io: 'input' | 'output',
  book: SchemaBook,
  examples: Json = {},
): Json {
  return Object.fromEntries(
    Object.entries(content).map(([type, schema]) => {
      const example = examples[type];
      return [type, { schema: book.of(schema, io), ...(example !== undefined && { example }) }];
    }),
  );
}
