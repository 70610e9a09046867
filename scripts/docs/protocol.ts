import { z } from 'zod';
import { neededAccess } from '../../machines/access.ts';
import { errors } from '../../src/errors.ts';
import { BAD_FRAMES_IN_A_ROW, clientFrameSchema, MAX_FRAME_BYTES } from '../../src/protocol/client-frames.ts';
import { durableFrameSchema, transientFrameSchema } from '../../src/protocol/server-frames.ts';
import { MAX_DEPTH } from '../../src/protocol/shallow-json.ts';
import { exchangeText } from './exchange.ts';
import { kindOf, type Schema, table } from './markdown.ts';

export function protocolDocument(): string {
  return `# Protocol

The WebSocket of a session: what a client sends, what it gets, and how it resumes. This page and [ERRORS.md](ERRORS.md)
are enough to write a client; [rehydra_client.py](../examples/python/rehydra_client.py) was written from them. This page
is generated from the schemas in [src/protocol](../src/protocol): \`npm run docs\`.

## Connect

Open a WebSocket at \`GET /v1/session\`. Each text frame is one JSON object in UTF-8, with a \`type\`. The server answers a
binary frame with \`bad_frame\`.

**The sub-protocol is optional.** If a client offers \`rehydra.v1\`, the server selects it; without an offer everything
works alike. A browser cannot set \`Authorization\`, so it may offer its credential as \`rehydra.bearer.<credential>\` beside
\`rehydra.v1\`. Other clients send \`Authorization: Bearer …\` with the upgrade, or \`hello.token\`.

The first frame is \`hello\`. The server answers with \`welcome\`, or with \`error\`. Any other frame before it gets
\`hello_required\`; a second \`hello\` gets \`hello_repeated\`.

| the hello has | the client gets |
| --- | --- |
| no \`session_id\` | a new session; \`welcome.session_id\` names it |
| a \`session_id\`, no \`after\` | that session, and only frames after \`welcome.offset\` |
| a \`session_id\` and \`after: 0\` | that session, and every frame that the log keeps |
| a \`session_id\`, \`after\` and \`epoch\` | that session, and exactly the frames after that offset |

**An unknown \`session_id\`.** With \`AUTH=off\` the server starts a new session under that id: \`welcome.resumed\` is false, and
\`after\` has no effect. A hello with a credential gets \`session_not_found\` instead; start a new session without
\`session_id\`. The id of an ended session gets \`session_expired\` and close 4011.

## An exchange

A client connects, sends a message, loses its connection in mid-answer, resumes, and ends the session. \`→\` is the client,
\`←\` the server. A test plays this exchange against the service.

\`\`\`text
${exchangeText()}
\`\`\`

## Ids and units

- \`session_id\` is a UUID of any version; the server writes it in lower case.
- \`message.id\` is yours: 1 to 64 characters. Use a new UUID for each message.
- \`turn_id\`, \`share_id\` and \`instance\` are opaque. Compare them, and read nothing from them.
- \`client_id\`, \`user_id\` and \`diagnosis_id\` have 1 to 256 characters. Keep one \`client_id\` per device.
- \`…_at\` is a moment in milliseconds since the Unix epoch, by the server's clock. \`…_ms\` is a length in milliseconds.
- \`offset\` counts frames, not bytes: the durable frames of a session are 1, 2, 3 …
- \`epoch\` is an integer below 2^53. It is no time: compare it, and send it back.
- \`version\` numbers changes of state and may skip numbers.

## Messages

**What acknowledges a message.** The first of these that names its id, in \`message_id\` or in \`message_ids\`:

| frame | meaning |
| --- | --- |
| \`turn.started\` | the message is stored, and its answer begins |
| \`message.queued\` | the message is stored and waits; \`position\` counts the waiting turns, this one included |
| \`error\` with \`duplicate_message\` | the session has this message already: count it as accepted, and read its frames |
| \`error\` with another code | the message is refused, and not stored |

Until then, keep the message. After a reconnect send it again **with the same id**: the session takes each id once. Send it
only after \`welcome\` and after every frame up to \`welcome.offset\`, because these may acknowledge it. If \`retryable\` is
true, send a refused message again after \`retry_after_ms\`. An \`error\` without \`message_id\` concerns no message.

**\`policy\`** says what happens if another turn runs: \`queue\` waits for its end; \`reject\` refuses with \`session_busy\`;
\`interrupt\` cancels it and keeps its text; \`rollback\` cancels it and forgets it; \`merge\` joins waiting messages into one
turn, which lists them in \`message_ids\`. Without \`policy\` the service's \`OVERLAP_POLICY\` applies.

**Other frames.** \`extended\` answers \`extend\`, \`authenticated\` answers \`authenticate\`, and \`pong\` answers \`ping\`.
\`turn.cancelled\` or \`error\` answers \`cancel\`. After \`close\` come \`expired\` and close 1000.

**\`instructions\`** adds to the system prompt of one turn. With \`AUTH\`, only a service may send it. **\`tags\`** are up to 16
notes of yours: those of a message come back in its \`turn.started\`, those of \`hello\` stay with the session.

**A waiting message** leaves the queue if \`cancel\` names its \`message_id\` or its turn. Merged messages leave together. Each gets
\`turn.cancelled\`, and none gets \`turn.started\`.

## Answer again, edit, fork

**\`regenerate\`** takes back a turn and all after it, and answers its question again. \`turn_id\` names the first turn to take
back; without it, the last one. With \`content\` it asks that question instead: the client edits the message. Each turn that
is taken back gets \`turn.retracted\`: remove it from the conversation. The new turn follows, under a new \`turn_id\`. Its
\`turn.started\` names the \`id\` of the \`regenerate\` as \`message_id\`, and acknowledges it like a message. The server refuses it with
\`session_busy\` while a turn runs, with \`unknown_turn\` if the session has no such turn, and with \`forbidden\` if another user
asked one of the questions.

**\`fork\`** copies the turns so far into a new session of the same owner, and changes nothing in this one. \`after\` names the last
turn to copy, \`before\` the first to leave out. Patient data goes with the turns, shares do not. \`forked\` names the new
session; a repeated \`fork\` with the same \`id\` gets the same one. Connect to it with \`after: 0\`: its log begins after the
copied turns, so the server sends these as a \`reset\` with the reason \`forked\`.

## The frames of a turn

\`message.queued\` (only if the message waits), \`turn.started\`, any number of \`delta\`, then exactly one of
\`turn.completed\`, \`turn.failed\` and \`turn.cancelled\`. A session runs one turn at a time. Other frames, such as \`state\`
and \`presence\`, may come between them.

The text of a turn is the concatenation of its \`delta\`s since its last \`turn.started\`, whichever instance sent them.

**A second \`turn.started\` for a running turn** (\`restarts\` counts them) means that the model server could not continue
a broken answer and starts over: clear the text and the reasoning that you have of this turn.

**Unknown frames and fields.** Ignore a frame whose \`type\` you do not know, and fields that you do not know: later versions
add both. Still keep the \`offset\` and the \`epoch\` of such a frame. The server is strict: a frame with an unknown field
gets \`bad_frame\`.

## Resume

Keep the \`session_id\`, and the \`offset\` and \`epoch\` of the last durable frame that you handled. A new connection sends
them as \`hello.session_id\`, \`hello.after\` and \`hello.epoch\`. If you handled no durable frame yet, send \`after: 0\`
without \`epoch\`.

\`welcome\` always comes first. Then come the missed frames, in order and without gaps, then new ones. You have caught up at
\`welcome.offset\`. Do not take \`welcome.offset\` as an offset that you handled.

**\`reset\`** comes instead of missed frames that the server cannot send. Discard what you have of the conversation, show
\`transcript\`, and go on from its \`offset\` and \`epoch\`. If a turn runs, its frames follow from its \`turn.started\` on, as
far as the log keeps them. A reset can also come later on an open connection. Send unacknowledged messages again
after it.

**Send the \`epoch\`.** A failover of the store can lose frames that you have seen, and another frame can take your
offset before you reconnect; only the epoch shows that. Without the epoch the server detects such a loss only while you
are connected, or if your offset lies beyond the log. Any other gap stays undetected.

## Reconnect

Wait a random time between 0 and min(5 s, 100 ms × 2^n), where n counts the attempts that failed in a row. Never wait less
than the last \`retry_after_ms\` or \`Retry-After\`. Reset n only once a connection lasted 5 s after its \`welcome\`. Connect to
any instance.

| close | reason | then |
| --- | --- | --- |
${closes()}

The close reason is the error code. An \`error\` frame with that code comes first, except for 4010 and 4011. A proxy may
close with 1000 too: only the reason \`closed\` ends the session. An upgrade that gets HTTP 408, 425, 429 or 5xx may be
tried again; any other HTTP status is final.

## Heartbeat

The server sends WebSocket pings, which your library answers. It drops a connection that sends nothing, not even such a
pong, for 120 seconds. A client needs no heartbeat to keep its connection. To notice a dead network sooner, send
\`ping\` every 20 to 30 seconds, and connect again if no \`pong\` comes within 10.

## Limits

**Before its hello is accepted** a client is a stranger to the server. It may send three frames of at most 16 KiB each, the
hello among them, and has ten seconds from the upgrade on; no frame and no refused hello restarts them. A fourth frame
closes with 1008, a larger one with 1009, the deadline with 4008. A client whose hello gets a retryable \`error\` without a
close may send it again within these bounds. Frames behind a hello wait for its answer, at most 64 of them and 64 KiB in
all. If too many sockets wait for their hello, the server closes the oldest: the client gets an \`error\` with
\`overloaded\`, and its connection ends without a close frame.

| limit | value |
| --- | --- |
| frame | ${MAX_FRAME_BYTES / 1024} KiB; above: \`frame_too_large\` and close 1009 |
| nesting of JSON | ${MAX_DEPTH} levels |
| bad frames in a row | ${BAD_FRAMES_IN_A_ROW}; then close 1008 |
| \`message.content\` | at least 1 character; only the frame bounds it; optional beside \`patient\` |
| \`options\` | \`max_tokens\` 1 to 131072, \`temperature\` 0 to 2, \`stop\` at most 4 texts of 1 to 128 characters |
| name of a patient field | 128 characters |
| \`ping.nonce\` | 256 characters |
| \`token\` | 16384 characters |

\`bad_frame\` has a \`detail\` that names the first field at fault, such as \`options.max_tokens\`. It repeats no value and no
unknown name. If the frame had a valid \`id\`, the error has it as \`message_id\`. A frame over 128 KiB, and text that is not
UTF-8, end the connection without an answer (RFC 6455 and [adr/0005](adr/0005-protocol-additions.md)).

The server refuses clients that exceed a rate limit with \`rate_limited\`. A message or an extension gets an \`error\` with
\`retry_after_ms\`, and the connection stays open. A hello gets the same, then close 1013. An upgrade gets HTTP 429 with
\`Retry-After\` (see [adr/0011](adr/0011-limits.md)).

## Patient data

\`patient\` is an object of optional fields, for example:

\`\`\`json
{
  "age": 61,
  "gender": "female",
  "chief_complaint": "chest pain",
  "past_medical_history": ["hypertension"],
  "vitals": { "heart_rate": 88, "blood_pressure": "120/80", "temperature": "38.5 °C", "spo2": 97 }
}
\`\`\`

\`hello.patient\` and \`message.patient\` take the patient fields of \`POST /api/protocol\`, with the
units and ranges of [HTTP.md](HTTP.md#protocolrequest), and the server refuses none of them. An unknown field, or one with
an unreadable or impossible value such as \`"heart_rate": -5\`, becomes a note under its name, \`vitals.heart_rate\`. The
model reads the note of a known field as \`(unusable value, as sent)\`, never as a vital sign. A newer value of a field
replaces the older one, readable or not. Complaints and history are lists and only grow. A null or empty field changes
nothing.

## Access

A session belongs to the first user that a client names in it. From then on it is open to that user, and to
guests whose share has not expired. Leaving out \`user_id\` opens no session that has a user. The server closes older
connections without a user with 4003. A guest with \`read\` gets
the frames; \`write\` adds ${framesThatNeed('write')}; only the owner sends ${framesThatNeed('owner')}. The server
answers any other frame with \`forbidden\`, and the connection stays open; it answers such a hello with \`forbidden\` and
close 4003. A \`client_id\` replaces an older connection of the same user only. With \`AUTH\` the user is the proven one,
and [PERMISSIONS.md](PERMISSIONS.md) shows what each role may do.

**A credential ends** when it expires, when its operator withdraws it, or when its user is disabled. A token expires 30
seconds after its \`exp\`, because clocks differ; \`welcome.identity_expires_at\` is that moment. Within five seconds of the end
every instance closes its connections with 4002 (\`identity_ended\`). A client that keeps its connection sends
\`authenticate\` before \`welcome.identity_expires_at\`; \`authenticated\` names the next end. After 4002, connect again
with a new credential and resume. 4001 (\`unauthenticated\`) means that the credential in use is not valid: the same one
fails again.

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

/** What a client does after a close that the error table does not describe. */
const OTHER_CLOSES: readonly (readonly [close: string, reason: string, action: string])[] = [
  ['1000', '`closed`', 'final: the session has ended'],
  ['1006, or any other', '–', 'reconnect'],
];

const FINAL: Readonly<Record<number, string>> = {
  1008: 'final: correct the client',
  1009: 'final: correct the client',
  4001: 'final: the credential is not valid',
  4002: 'reconnect with a new credential',
  4003: 'final: this user has no access',
  4009: 'final: another connection has your `client_id`',
  4011: 'final: the session has ended',
};

function closes(): string {
  const byClose = new Map<number, string[]>();
  for (const [code, { close }] of Object.entries(errors))
    if (close !== null) byClose.set(close, [...(byClose.get(close) ?? []), `\`${code}\``]);
  const [closed, rest] = OTHER_CLOSES;
  const named = [...byClose].sort(([one], [other]) => one - other);
  const rows = named.map(([close, codes]) => [`${close}`, codes.join(', '), FINAL[close] ?? 'reconnect']);
  return [closed, ...rows, rest].map((cells) => `| ${cells?.join(' | ')} |`).join('\n');
}
