/** The parts of docs/PROTOCOL.md on connections: how a client connects, resumes and reconnects, and its limits. */
import { BAD_FRAMES_IN_A_ROW, MAX_FRAME_BYTES } from '../../../src/protocol/client-frames.ts';
import { MAX_DEPTH } from '../../../src/protocol/shallow-json.ts';
import { closes } from './error-tables.ts';

export const connect = `## Connect

Open a WebSocket at \`GET /v1/session\`. Each text frame is one JSON object in UTF-8, with a \`type\`. The server answers a
binary frame with \`bad_frame\`. Leave out an optional field that has no value: \`null\` gets \`bad_frame\` too.

**Sub-protocol and credential.** If a client offers the sub-protocol \`rehydra.v1\`, the server selects it. Without an offer
everything works alike. A browser cannot set \`Authorization\`: it offers \`rehydra.v1\` and beside it
\`rehydra.bearer.<credential>\`. Other clients send \`Authorization: Bearer …\` with the upgrade, or \`hello.token\`. With
\`AUTH=off\` the server ignores all of them.

**A refused upgrade** gets an HTTP status:

| status | reason |
| --- | --- |
| 401 | the credential of the upgrade is not valid |
| 403 | a page of this origin may not connect (\`ALLOWED_ORIGINS\`) |
| 404 | the path is wrong; a slash at its end counts |
| 421 | the service does not answer for this \`Host\` (\`ALLOWED_HOSTS\`) |
| 426 | the request is no upgrade to WebSocket version 13 |
| 429 | the client connects too often; \`Retry-After\` names the wait |

**The first frame is \`hello\`.** The server answers with \`welcome\`, or with \`error\`. Any other frame before it gets
\`hello_required\`; only \`ping\` always gets \`pong\`, even before \`welcome\`. A second \`hello\` gets \`hello_repeated\`.

| the hello has | the client gets |
| --- | --- |
| no \`session_id\` | a new session; \`welcome.session_id\` names it |
| a \`session_id\`, no \`after\` | that session, and only frames after \`welcome.offset\` |
| a \`session_id\` and \`after: 0\` | that session, and every frame that the log keeps |
| a \`session_id\`, \`after\` and \`epoch\` | that session, and exactly the frames after that offset |

Send \`after: 0\` unless you want new frames only. A client that joins in mid-answer without \`after\` gets \`delta\`s without
their \`turn.started\`, and ignores them. The log of a new session begins with one frame, a \`state\`: a hello with \`after\` gets
it, any other hello does not.

**An unknown \`session_id\`, or that of an ended session.** The server keeps nothing under the id of an ended session, from its
end on and however it ended. So it treats both alike:

- With \`AUTH=off\` it starts a new, empty session under that id. \`welcome.resumed\` is false, and the log begins at 1 again.
- With \`AUTH\` the hello gets \`session_not_found\`, as for the session of another user. Say hello again without \`session_id\`.

A client that resumes and meets either has lost its session. It discards its offset, its epoch and the conversation.

**An \`error\` without a close** leaves the connection open, and the client may send another hello: after \`bad_frame\`,
\`session_not_found\` or \`too_many_sessions\` a different one, after a retryable error the same.`;

export const resume = `## Resume

Keep the \`session_id\`, and the \`offset\` and \`epoch\` of the last durable frame that you handled. A new connection sends
them as \`hello.session_id\`, \`hello.after\` and \`hello.epoch\`. Before your first durable frame send \`after: 0\` without
\`epoch\`.

After \`welcome\` come the missed frames, in order and without gaps, then new ones. You have caught up with the frame at
\`welcome.offset\`. Only a client that said hello without \`after\` may resume from \`welcome.offset\` and \`welcome.epoch\`; to any
other client they say nothing about what it has handled.

**Send the \`epoch\`**, exactly the one that came with the offset. It grows whenever an instance takes over the session, so
compare no epochs yourself. A failover of the store can lose frames that you have seen, and another frame can take your
offset before you reconnect: only the epoch shows that. Without it the server detects such a loss only while you are
connected, or if your offset lies beyond the log.

**\`reset\`** comes instead of missed frames that the server cannot send, after \`welcome\` or later on an open connection. Then:

1. Discard what you have of the conversation, and show \`transcript\`. No limit bounds its length.
2. Go on from \`reset.offset\` and \`reset.epoch\`, even if \`welcome.offset\` is higher. You have caught up with the reset.
3. Send again every message whose turn you have not seen end, also an acknowledged one: the store may have lost it.

If a turn runs, its frames follow, from its \`turn.started\` on as far as the log keeps them. The transcript has the question
of that turn already: match it by \`turn_id\`, or you show it twice. Its entries name no messages.`;

export const reconnect = `## Reconnect

Wait a random time between 0 and min(5 s, 100 ms × 2^n), then connect to any instance. n is 0 at first, and grows with each
connection that failed or ended within 5 s after its \`welcome\`; a longer one sets it to 0 again. Wait at least as long
as the \`retry_after_ms\` of the \`error\` that announced the close, or \`Retry-After\`, says.

| close | reason | then |
| --- | --- | --- |
${closes()}

The close reason is the error code. An \`error\` frame with that code comes first, except for 4010 and 4011. A proxy may
close with 1000 too: only the reason \`closed\` ends the session. The frame \`expired\` ends it as well, whatever close
follows. An upgrade that gets HTTP 408, 425, 429 or 5xx may be tried again; any other HTTP status is final.

## Heartbeat

The server sends WebSocket pings, which your library answers. It drops a connection that sends nothing for 120 seconds, not
even such a pong. To notice a dead network sooner, send \`ping\` every 20 to 30 seconds, and connect again if no \`pong\`
comes within 10. The pings of a WebSocket library do the same.`;

export const limits = `## Limits

**Before \`welcome\`** a client is a stranger to the server. It may send three frames of at most 16 KiB each, the hello among
them; \`ping\` counts. A fourth frame closes with 1008, a larger one with 1009. The hello must come within ten seconds of the
upgrade, or the server closes with 4008; neither a frame nor a refused hello gives more time.

More frames may follow a hello that is not answered yet: up to 64, of 64 KiB together, \`ping\` aside. The server takes them
after \`welcome\`, and drops them if it refuses the hello. A frame above these bounds closes the connection with 1013
(\`overloaded\`), so send a long row of messages after \`welcome\`.

If too many sockets wait for their hello, the server drops the oldest: its client gets \`overloaded\`, then 1006.

| limit | value |
| --- | --- |
| frame to the server | ${MAX_FRAME_BYTES / 1024} KiB (${MAX_FRAME_BYTES} bytes of UTF-8); above: \`frame_too_large\` and close 1009 |
| frame to the client | none: let your library read frames of any size |
| nesting of JSON | ${MAX_DEPTH} levels |
| bad frames in a row | ${BAD_FRAMES_IN_A_ROW}; the last also gets \`too_many_bad_frames\` and close 1008; a good frame resets the count |
| \`message.content\` | at least 1 character; only the frame bounds it; optional beside \`patient\` |
| \`options\` | \`max_tokens\` 1 to 131072 and what the model can take, \`temperature\` 0 to 2, \`stop\` at most 4 texts of 1 to 128 characters |
| name of a patient field | 128 characters |
| \`ping.nonce\` | 256 characters |
| \`token\` | 16384 characters |

Check the size of a message before you send it: 1009 names no message, and a frame over 128 KiB ends the connection with
1006, so a client that repeats it would reconnect for ever. Text that is not UTF-8 ends the connection like that, too
([adr/0005](adr/0005-protocol-additions.md)).

\`bad_frame\` has a \`detail\` that names the first field at fault, such as \`options.max_tokens\`. It repeats no value and no
unknown name. If the frame had a valid \`id\`, the error has it as \`message_id\`.

**Rates.** Above a limit the server answers \`rate_limited\`. A message, a \`regenerate\`, a \`fork\` or an \`extend\` gets an \`error\`
with \`retry_after_ms\`, and the connection stays open. A hello gets the same, then close 1013. An upgrade gets HTTP 429
(see [adr/0011](adr/0011-limits.md)).`;
