import { z } from 'zod';
import { neededAccess } from '../../machines/access.ts';
import { clientFrameSchema } from '../../src/protocol/client-frames.ts';
import { durableFrameSchema, transientFrameSchema } from '../../src/protocol/server-frames.ts';
import { kindOf, type Schema, table } from './markdown.ts';

export function protocolDocument(): string {
  return `# Protocol

WebSocket at \`GET /v1/session\`, sub-protocol \`rehydra.v1\`. Each text frame is one JSON object. This page is generated
from the schemas in [src/protocol](../src/protocol): \`npm run docs\`.

A session numbers its durable frames 1, 2, 3 … (\`offset\`). A client that reconnects sends the last offset that it saw
(\`hello.after\`) with that frame's \`epoch\`, and gets exactly the frames after it. If frames are missing, the server
sends \`reset\`, with an \`offset\` and an \`epoch\` to resume from. The text of a turn is the concatenation of its
\`delta\`s since its last \`turn.started\`, whichever instance sent them.

**A second \`turn.started\` for a running turn** (\`restarts\` counts them) means that the model server could not continue
a broken answer and starts over: clear the text and the reasoning that you have of this turn.

**Send the \`epoch\`.** A failover of the store can lose frames that you have seen, and another frame can take your
offset before you reconnect; only the epoch shows that. Without the epoch the server detects such a loss only while you
are connected, or if your offset lies beyond the log. Any other gap stays undetected.

**Before its hello is accepted** a client is a stranger to the server. It may send three frames of at most 16 KiB each, the
hello among them, and has ten seconds from the upgrade on; no frame and no refused hello restarts them. A fourth frame
closes with 1008, a larger one with 1009, the deadline with 4008. A client whose hello gets a retryable \`error\` without a
close may send it again within these bounds. Frames behind a hello wait for its answer, at most 64 of them and 64 KiB in
all. If too many sockets wait for their hello, the server closes the oldest: the client gets an \`error\` with
\`overloaded\`, and its connection ends without a close frame.

The server answers a frame over 64 KiB with \`frame_too_large\` and close 1009. It answers a frame that is not in the
first table with \`bad_frame\`; five in a row close the connection with 1008. A frame over
128 KiB, and text that is not UTF-8, end the connection without an answer (RFC 6455 and
[adr/0005](adr/0005-protocol-additions.md)). Errors: [ERRORS.md](ERRORS.md).

The server refuses clients that exceed a rate limit with \`rate_limited\`. A message or an extension gets an \`error\` with
\`retry_after_ms\`, and the connection stays open. A hello gets the same, then close 1013. An upgrade gets HTTP 429 with
\`Retry-After\` (see [adr/0011](adr/0011-limits.md)).

**Patient data.** \`hello.patient\` and \`message.patient\` take the patient fields of \`POST /api/protocol\`, with the
units and ranges of [HTTP.md](HTTP.md#protocolrequest), and the server refuses none of them. An unknown field, or one with
an unreadable or impossible value such as \`"heart_rate": -5\`, becomes a note under its name, \`vitals.heart_rate\`. The
model reads the note of a known field as \`(unusable value, as sent)\`, never as a vital sign. A newer value of a field
replaces the older one, readable or not. Complaints and history are lists and only grow. A null or empty field changes
nothing.

**Access.** A session belongs to the first user that a client names in it. From then on it is open to that user, and to
guests whose share has not expired. Leaving out \`user_id\` opens no session that has a user. A guest with \`read\` gets
the frames; \`write\` adds ${framesThatNeed('write')}; only the owner sends ${framesThatNeed('owner')}. The server
answers any other frame with \`forbidden\`, and the connection stays open; it answers such a hello with \`forbidden\` and
close 4003. A \`client_id\` replaces an older connection of the same user only. With \`AUTH\` the user is the proven one,
and [PERMISSIONS.md](PERMISSIONS.md) shows what each role may do.

**A credential ends** when it expires, when its operator withdraws it, or when its user is disabled. A token expires 30
seconds after its \`exp\`, because clocks differ; \`welcome.identity_expires_at\` is that moment. Within five seconds of the end
every instance closes its connections with 4002 (\`identity_ended\`). A client that keeps its connection sends
\`authenticate\` before \`welcome.identity_expires_at\`; \`authenticated\` names the next end. After 4002, connect again
with a new credential and resume. 4001 (\`unauthenticated\`) means that the credential in use is not valid: the same one
fails again. A hello with a credential that names an unknown session gets \`session_not_found\`; start a new session
without \`session_id\`.

## Client to server

${frames(clientFrameSchema)}

## Server to client, durable

The store keeps these frames, and a client that resumes gets them again.

${frames(durableFrameSchema)}

## Server to client, transient

The server sends these frames to one connection, once.

${frames(transientFrameSchema)}
`;
}

function framesThatNeed(access: string): string {
  const { options } = clientFrameSchema;
  const types = options.map(({ shape }) => shape.type.value);
  const names = types.filter((type) => type in neededAccess && neededAccess[type as never] === access);
  return names.map((name) => `\`${name}\``).join(', ');
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
