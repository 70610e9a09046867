import { openapiDocument } from '../../src/http/core/openapi.ts';
import { type HttpPorts, httpRoutes } from '../../src/http/routes.ts';
import { table } from './table.ts';

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly default?: unknown;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
}

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
  // Ports are only used when a route answers.
  const document = openapiDocument(httpRoutes({} as HttpPorts)) as unknown as Document;
  const operations = Object.entries(document.paths).flatMap(([path, byMethod]) =>
    Object.entries(byMethod).map(([method, one]) => ({ title: `${method.toUpperCase()} ${path}`, one })),
  );
  return `# HTTP

On the same port as the WebSocket ([PROTOCOL.md](PROTOCOL.md)), over the same sessions. This page is made of the OpenAPI
document that the service serves at \`GET /openapi.json\`, which is made of the routes and their schemas in
[src/http](../src/http): \`npm run docs\`.

Errors have one shape, \`{"error": {"code", "message", "retryable", "detail"?, "request_id"}}\`, with the status of
[ERRORS.md](ERRORS.md); 429 and 503 say in \`Retry-After\` how many seconds to wait, where waiting helps. Any route may answer \`internal\`.
Every \`GET\` route answers \`HEAD\` with the same status and headers.

${table(
  ['route', 'what'],
  operations.map(({ title, one }) => [`[\`${title}\`](#${anchor(title)})`, one.summary]),
)}

${operations.map(({ title, one }) => section(title, one)).join('\n\n')}

# Schemas

${Object.entries(document.components.schemas)
  .map(([name, schema]) => `## ${name}\n\n${fieldsOf(schema)}`)
  .join('\n\n')}
`;
}

const anchor = (title: string): string =>
  title
    .toLowerCase()
    .replace(/[^\w -]/g, '')
    .replaceAll(' ', '-');

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

/** An object within a schema, where each of its fields says what it means. */
function partsOf(name: string, parts: Readonly<Record<string, Schema>>): readonly string[] {
  const rows = Object.entries(parts).map(([part, schema]) => [
    `\`${part}\``,
    kindOf(schema),
    schema.description ?? '',
  ]);
  const described = rows.length > 0 && rows.every(([, , meaning]) => meaning !== '');
  return described ? [`\`${name}\`:`, table(['field', 'kind', 'meaning'], rows)] : [];
}

function kindOf(schema: Schema): string {
  const { $ref, type, items, properties } = schema;
  if ($ref !== undefined) {
    const name = $ref.split('/').at(-1) ?? '';
    return `[${name}](#${anchor(name)})`;
  }
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.enum !== undefined)
    return schema.enum.length > 12
      ? 'one of many'
      : schema.enum.map((value) => `\`${String(value)}\``).join(' or ');
  const choices = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (choices !== undefined) return [...new Set(choices.map(kindOf))].join(' or ');
  if (type === 'array') return `list of ${items === undefined ? 'anything' : kindOf(items)}`;
  if (type === 'object' && properties !== undefined)
    return `{${Object.entries(properties)
      .map(([name]) => `${name}${schema.required?.includes(name) === true ? '' : '?'}`)
      .join(', ')}}`;
  const kind = schema.format ?? String(type ?? 'anything');
  return schema.default === undefined ? kind : `${kind}, \`${String(schema.default)}\` if absent`;
}
