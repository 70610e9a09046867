/** The OpenAPI 3.1 document, from what the routes say of themselves and from the table of errors. */
import type { z } from 'zod';
import { type ErrorCode, errors } from '../../errors.ts';
import { version } from '../../startup/version.ts';
import type { Answer, Description } from './description.ts';
import { type Json, openSchemaBook, type SchemaBook } from './json-schema.ts';
import { problemSchema } from './problem-schema.ts';
import type { Route } from './router.ts';

export function openapiDocument(routes: readonly Route[]): Json {
  const book = openSchemaBook('draft-2020-12');
  const paths: Record<string, Record<string, Json>> = {};
  for (const { path, method, describe } of routes) {
    if (describe === undefined) continue;
    const template = path.replace(/:(\w+)/g, '{$1}');
    paths[template] = { ...paths[template], [method.toLowerCase()]: operationOf(path, describe, book) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Rehydra',
      version,
      description:
        'Conversations with a language model as durable sessions. The same sessions are served over a WebSocket: see /asyncapi.json.',
    },
    paths,
    components: { schemas: book.named },
  };
}

function operationOf(path: string, describe: Description, book: SchemaBook): Json {
  const { name, summary, details, body, params, query, headers } = describe;
  const parameters = [
    ...[...path.matchAll(/:(\w+)/g)].map(([, part = '']) => pathParameter(part, params, book)),
    ...parametersOf('query', query, name, book),
    ...parametersOf('header', headers, name, book),
  ];
  return {
    operationId: name,
    summary,
    ...(details === undefined ? {} : { description: details }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: book.of(body, 'input', name) } },
          },
        }),
    responses: responsesOf(describe, book),
  };
}

function pathParameter(name: string, params: z.ZodObject | undefined, book: SchemaBook): Json {
  const schema = params?.shape[name] as z.ZodType | undefined;
  const { description, ...rest } = schema === undefined ? { type: 'string' } : book.of(schema, 'input', name);
  return {
    name,
    in: 'path',
    ...(description === undefined ? {} : { description }),
    required: true,
    schema: rest,
  };
}

function parametersOf(
  place: 'query' | 'header',
  schema: z.ZodObject | undefined,
  owner: string,
  book: SchemaBook,
): readonly Json[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = book.of(schema, 'input', owner) as {
    readonly properties?: Readonly<Record<string, Json>>;
    readonly required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: place,
    ...(description === undefined ? {} : { description }),
    required: required.includes(name),
    schema: rest,
  }));
}

function responsesOf({ name, answers, errors: codes = [] }: Description, book: SchemaBook): Json {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of new Set<ErrorCode>([...codes, 'internal']))
    byStatus.set(errors[code].status, [...(byStatus.get(errors[code].status) ?? []), code]);
  const good = Object.entries(answers).map(([status, answer]) => [status, responseOf(answer, name, book)]);
  const bad = [...byStatus].map(([status, those]) => [status, refusalOf(status, those, book)]);
  return Object.fromEntries([...good, ...bad]) as Json;
}

function responseOf({ says, content }: Answer, owner: string, book: SchemaBook): Json {
  const media = Object.entries(content).map(([type, schema]) => [
    type,
    { schema: book.of(schema, 'output', owner) },
  ]);
  return { description: says, content: Object.fromEntries(media) as Json };
}

function refusalOf(status: number, codes: readonly ErrorCode[], book: SchemaBook): Json {
  const headers = {
    'Retry-After': { description: 'Seconds to wait', schema: { type: 'integer', minimum: 1 } },
  };
  return {
    description: codes.map((code) => `\`${code}\`: ${errors[code].text}`).join('\n\n'),
    ...(status === 429 || status === 503 ? { headers } : {}),
    content: { 'application/json': { schema: book.of(problemSchema, 'output', 'Problem') } },
  };
}
