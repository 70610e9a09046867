import { z } from 'zod';
import { clientFrameSchema } from '../../src/protocol/client-frames.ts';
import { durableFrameSchema, transientFrameSchema } from '../../src/protocol/server-frames.ts';
import { table } from './table.ts';

interface JsonSchema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
}

export function protocolDocument(): string {
  return `# Protocol

WebSocket at \`GET /v1/session\`, sub-protocol \`rehydra.v1\`; JSON text frames, one object each. This page is generated
from the schemas in [src/protocol](../src/protocol): \`npm run docs\`.

A session's durable frames are numbered 1, 2, 3 … (\`offset\`). A client that comes back says the last offset it saw
(\`hello.after\`) with that frame's \`epoch\`, and gets exactly what follows. What can't be had is said by \`reset\`, which
has an \`offset\` and an \`epoch\` to go on from. The text of a turn is the concatenation of its \`delta\`s since its last
\`turn.started\`, whichever instance sent them.

**A \`turn.started\` for a turn that runs already** (its \`restarts\` counts them) says that the model server could not
continue a broken answer and starts over: clear the text and the reasoning that you have of this turn.

**Say the \`epoch\`.** Where a failover of the store lost frames that you had seen, another frame may stand at your
offset by the time you come back, and only the epoch tells. Without it you are told of such a loss while you are
connected, and where your offset lies beyond the log; else there is a gap of which nobody can know.

Frames over 64 KiB are answered with \`frame_too_large\` and close 1009; frames that are not in the first table with
\`bad_frame\`, five in a row close with 1008. Text that is not UTF-8 ends the connection, as RFC 6455 asks
(see [adr/0005](adr/0005-protocol-additions.md)). Errors: [ERRORS.md](ERRORS.md).

What comes too often is refused with \`rate_limited\`: a message or an extension by an \`error\` with \`retry_after_ms\`, and
the connection stays; a hello likewise, then close 1013; an upgrade by HTTP 429 with \`Retry-After\`
(see [adr/0011](adr/0011-limits.md)).

**Patient data.** \`hello.patient\` and \`message.patient\` take the patient fields of \`POST /api/protocol\`, with the
units and ranges of [HTTP.md](HTTP.md#protocolrequest), and the service refuses none of them. A field that is unknown,
or has an unreadable or impossible value such as \`"heart_rate": -5\`, becomes a note under its name,
\`vitals.heart_rate\`. The model reads the note of a known field as \`(unusable value, as sent)\`, never as a vital sign.
A newer value of a field replaces the older one, readable or not. Complaints and history are lists and only grow.
A null or empty field changes nothing.

## Client to server

${frames(clientFrameSchema)}

## Server to client, durable

${frames(durableFrameSchema)}

## Server to client, said once

${frames(transientFrameSchema)}
`;
}

function frames(schema: z.ZodType): string {
  const { oneOf = [], anyOf = [] } = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
  }) as JsonSchema;
  const rows = [...oneOf, ...anyOf].map((frame) => {
    const { type, ...fields } = frame.properties ?? {};
    return [`\`${String(type?.const)}\``, describeFields(fields, frame.required ?? [])];
  });
  return table(['type', 'fields'], rows);
}

function describeFields(fields: Readonly<Record<string, JsonSchema>>, required: readonly string[]): string {
  const described = Object.entries(fields).map(([name, schema]) => {
    const note = schema.description === undefined ? '' : ` (${schema.description})`;
    return `\`${name}${required.includes(name) ? '' : '?'}\` ${kind(schema)}${note}`;
  });
  return described.length === 0 ? '–' : described.join(' · ');
}

function kind(schema: JsonSchema): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(' | ');
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return choices.map(kind).join(' | ');
  if (schema.type === 'array') return `[${schema.items === undefined ? 'any' : kind(schema.items)}]`;
  if (schema.type === 'object' && schema.properties !== undefined)
    return `{${Object.entries(schema.properties)
      .map(([name]) => (schema.required?.includes(name) === true ? name : `${name}?`))
      .join(', ')}}`;
  return schema.format === 'uuid' ? 'uuid' : (schema.type ?? 'any');
}
