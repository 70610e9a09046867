/** docs/PROTOCOL.md: its prose is in the folder beside this file, its tables follow from the schemas. */
import { z } from 'zod';
import { clientFrameSchema } from '../../src/protocol/client-frames.ts';
import { durableFrameSchema, transientFrameSchema } from '../../src/protocol/server-frames.ts';
import { exchangeText } from './exchange.ts';
import { kindOf, type Schema, table } from './markdown.ts';
import { connect, limits, reconnect, resume } from './protocol/connection.ts';
import { access, branching, messages, patient, turns, units } from './protocol/conversation.ts';
import { errorCodes } from './protocol/error-tables.ts';

export function protocolDocument(): string {
  const parts = [
    head,
    connect,
    exchangePart(),
    units,
    messages,
    turns,
    branching,
    resume,
    reconnect,
    limits,
    errorCodes(),
    patient,
    access,
    framesPart(),
  ];
  return `${parts.join('\n\n')}\n`;
}

const head = `# Protocol

The WebSocket of a session: what a client sends, what it gets, and how it resumes. This page is enough to write a client;
[rehydra_client.py](../examples/python/rehydra_client.py) was written from it. The page is generated from the schemas in
[src/protocol](../src/protocol): \`npm run docs\`.`;

function exchangePart(): string {
  return `## An exchange

A client connects, sends a message, loses its connection in mid-answer, resumes, and ends the session. \`→\` is the client,
\`←\` the server. A test plays this exchange against the service.

\`\`\`text
${exchangeText()}
\`\`\``;
}

function framesPart(): string {
  return `## Client to server

${frames(clientFrameSchema)}

## Server to client, durable

The store keeps these frames, and a client that resumes gets them again.

${frames(durableFrameSchema)}

## Server to client, transient

The server sends these frames to one connection, once.

${frames(transientFrameSchema)}`;
}

function frames(schema: z.ZodType): string {
  const { oneOf = [], anyOf = [] } = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
  }) as Schema;
  const rows = [...oneOf, ...anyOf].map((frame) => {
    const { type, ...fields } = frame.properties ?? {};
    return [`\`${String(type?.const)}\``, describeFields(fields, frame.required ?? [])];
  });
  return table(['type', 'fields'], rows);
}

function describeFields(fields: Readonly<Record<string, Schema>>, required: readonly string[]): string {
  const described = Object.entries(fields).map(([name, schema]) => {
    const note = schema.description === undefined ? '' : ` (${schema.description})`;
    return `\`${name}${required.includes(name) ? '' : '?'}\` ${kindOf(schema)}${note}`;
  });
  return described.length === 0 ? '–' : described.join(' · ');
}
