import { openapiDocument } from '../../src/http/core/openapi.ts';
import type { HttpPorts } from '../../src/http/core/ports.ts';
import { httpRoutes } from '../../src/http/routes.ts';
import { curlSection } from './curl.ts';
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
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Content };
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
from the OpenAPI document that the service serves at \`GET /openapi.json\`, and as a page at \`GET /docs\`; the routes and their schemas are in
[src/http](../src/http).

Errors have one shape, \`{"error": {"code", "message", "retryable", "detail"?, "request_id"}}\`, with the status of
[ERRORS.md](ERRORS.md). If waiting helps, \`Retry-After\` of a 429 or 503 gives the seconds. Any route may answer
\`internal\`. Every \`GET\` route answers \`HEAD\` with the same status and headers.

**Credentials.** With \`AUTH\` all routes but the probes, the two documents and the pages \`/\` and \`/docs\` need a bearer, a token or an API key:
\`Authorization: Bearer …\`. [PERMISSIONS.md](PERMISSIONS.md) shows what each role may do. The service answers a missing
credential and every invalid one with the same 401 \`unauthenticated\`. A foreign session and one that does not exist get
the same \`session_not_found\`. A back end with the role \`service\` names the user for whom it acts in the header
\`rehydra-user\`, percent-encoded. The credential of a user names its user already: another name in the header, or as
\`user_id\`, is refused with \`forbidden\`. For \`/dashboard\` and \`/api/analytics\` a browser may send the bearer as a
password (Basic). Without \`AUTH\`, which only an address of loopback allows, every client may do everything.

${table(
  ['route', 'purpose'],
  operations.map(({ title, one }) => [`[\`${title}\`](#${anchor(title)})`, one.summary]),
)}

${curlSection()}

${operations.map(({ title, one }) => section(title, one)).join('\n\n')}

# Schemas

${Object.entries(document.components.schemas)
  .map(([name, schema]) => `## ${name}\n\n${fieldsOf(schema)}`)
  .join('\n\n')}
`;
}

function section(title: string, operation: Operation): string {
  const { summary, description = '', parameters = [], requestBody, responses } = operation;
  const given = parameters.map((one) => {
    const required = one.required ? 'yes' : 'no';
    return [`\`${one.name}\``, one.in, required, kindOf(one.schema), one.description ?? ''];
  });
  const bodies = Object.values(requestBody?.content ?? {}).map(({ schema }) => kindOf(schema));
  const isBodyOptional = requestBody?.required === false;
  const answers = Object.entries(responses).map(([status, { description: meaning, content }]) => {
    const types = Object.entries(content).map(([type, { schema }]) => `\`${type}\` ${kindOf(schema)}`);
    return [status, meaning.replace(/\n+/g, '<br>'), types.join('<br>')];
  });
  const parts = [
    `## ${title}`,
    `${summary}. ${description}`.trim(),
    given.length > 0 ? table(['parameter', 'in', 'required', 'kind', 'meaning'], given) : '',
    bodies.length > 0 ? `Body${isBodyOptional ? ' (optional)' : ''}: ${bodies.join(', ')}` : '',
    table(['status', 'meaning', 'body'], answers),
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

function fieldsOf({ description = '', ...schema }: Schema): string {
  const { properties = {}, required = [] } = schema;
  const rows = rowsOf(properties, (name) => required.includes(name));
  const fields = rows.length === 0 ? kindOf(schema) : table(['field', 'kind', 'meaning'], rows);
  const parts = Object.entries(properties).flatMap(([name, field]) => partsOf(name, field.properties ?? {}));
  return [description, fields, ...parts].filter((part) => part !== '').join('\n\n');
}

/** The fields of an object within a schema, if each has a description. */
function partsOf(name: string, fields: Readonly<Record<string, Schema>>): readonly string[] {
  const rows = rowsOf(fields, () => true);
  const described = rows.length > 0 && rows.every((row) => row.at(-1) !== '');
  return described ? [`\`${name}\`:`, table(['field', 'kind', 'meaning'], rows)] : [];
}

function rowsOf(
  fields: Readonly<Record<string, Schema>>,
  isRequired: (name: string) => boolean,
): readonly (readonly string[])[] {
  return Object.entries(fields).map(([name, field]) => [
    `\`${name}${isRequired(name) ? '' : '?'}\``,
    kindOf(field),
    field.description ?? '',
  ]);
}
