import { openapiDocument } from '../../src/http/core/openapi.ts';
import type { HttpPorts } from '../../src/http/core/ports.ts';
import { httpRoutes } from '../../src/http/routes.ts';
import { anchor, kindOf, type Schema, table } from './markdown.ts';

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly description?: string;
  readonly schema: Schema;
}

type Content = Readonly<Record<string, { readonly schema: Schema }>>;

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content: Content }>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

export function httpDocument(): string {
  // A route uses its ports only when it answers.
  const document = openapiDocument(httpRoutes({} as HttpPorts)) as unknown as Document;
  const operations = Object.entries(document.paths).flatMap(([path, byMethod]) =>
    Object.entries(byMethod).map(([method, one]) => ({ title: `${method.toUpperCase()} ${path}`, one })),
  );
  return `# HTTP

HTTP shares port and sessions with the WebSocket ([PROTOCOL.md](PROTOCOL.md)). This page is generated (\`npm run docs\`)
from the OpenAPI document that the service serves at \`GET /openapi.json\`; the routes and their schemas are in
[src/http](../src/http).

Errors have one shape, \`{"error": {"code", "message", "retryable", "detail"?, "request_id"}}\`, with the status of
[ERRORS.md](ERRORS.md). If waiting helps, a 429 or 503 says in \`Retry-After\` how many seconds. Any route may answer
\`internal\`. Every \`GET\` route answers \`HEAD\` with the same status and headers.

${table(
  ['route', 'purpose'],
  operations.map(({ title, one }) => [`[\`${title}\`](#${anchor(title)})`, one.summary]),
)}

${operations.map(({ title, one }) => section(title, one)).join('\n\n')}

# Schemas

${Object.entries(document.components.schemas)
  .map(([name, schema]) => `## ${name}\n\n${fieldsOf(schema)}`)
  .join('\n\n')}
`;
}

function section(
  title: string,
  { summary, description, parameters = [], requestBody, responses }: Operation,
): string {
  const given = parameters.map((one) => [
    `\`${one.name}\``,
    one.in,
    one.required ? 'yes' : 'no',
    kindOf(one.schema),
    one.description ?? '',
  ]);
  const answers = Object.entries(responses).map(([status, { description: says, content }]) => [
    status,
    says.replace(/\n+/g, '<br>'),
    Object.entries(content)
      .map(([type, { schema }]) => `\`${type}\` ${kindOf(schema)}`)
      .join('<br>'),
  ]);
  return [
    `## ${title}`,
    `${summary}.${description === undefined ? '' : ` ${description}`}`,
    ...(given.length === 0 ? [] : [table(['parameter', 'in', 'required', 'kind', 'meaning'], given)]),
    ...(requestBody === undefined
      ? []
      : [
          `Body: ${Object.values(requestBody.content)
            .map(({ schema }) => kindOf(schema))
            .join(', ')}`,
        ]),
    table(['status', 'meaning', 'body'], answers),
  ].join('\n\n');
}

function fieldsOf(schema: Schema): string {
  const { description, properties = {}, required = [] } = schema;
  const rows = Object.entries(properties).map(([name, field]) => [
    `\`${name}${required.includes(name) ? '' : '?'}\``,
    kindOf(field),
    field.description ?? '',
  ]);
  return [
    ...(description === undefined ? [] : [description]),
    rows.length === 0 ? kindOf(schema) : table(['field', 'kind', 'meaning'], rows),
    ...Object.entries(properties).flatMap(([name, { properties: parts = {} }]) => partsOf(name, parts)),
  ].join('\n\n');
}

/** The fields of an object within a schema, if each has a description. */
function partsOf(name: string, parts: Readonly<Record<string, Schema>>): readonly string[] {
  const rows = Object.entries(parts).map(([part, schema]) => [
    `\`${part}\``,
    kindOf(schema),
    schema.description ?? '',
  ]);
  const described = rows.length > 0 && rows.every(([, , meaning]) => meaning !== '');
  return described ? [`\`${name}\`:`, table(['field', 'kind', 'meaning'], rows)] : [];
}
