/** The parts of docs/PROTOCOL.md on the conversation: messages, turns, patient data and access. */
import { neededAccess } from '../../../machines/access.ts';
import { clientFrameSchema } from '../../../src/protocol/client-frames.ts';

export const units = `## Ids and units

- \`session_id\` is a UUID of any version; the server writes it in lower case.
- \`message.id\` is yours: 1 to 64 characters. Use a new UUID for each message.
- \`turn_id\`, \`share_id\` and \`instance\` are opaque. Compare them, and read nothing from them.
- \`client_id\`, \`user_id\` and \`diagnosis_id\` have 1 to 256 characters. Keep one \`client_id\` per device.
- \`…_at\` is a moment in milliseconds since the Unix epoch, by the server's clock. \`…_ms\` is a length in milliseconds.
- \`offset\` counts frames, not bytes: the durable frames of a session are 1, 2, 3 …
- \`epoch\` is an integer below 2^53, and no time. Keep it with its \`offset\`, and send it back.
- \`version\` numbers changes of state. A client needs it for nothing.`;

export const messages = `## Messages

**What acknowledges a message.** The first of these that names its id, in \`message_id\` or in \`message_ids\`:

| frame | meaning |
| --- | --- |
| \`turn.started\` | the message is stored, and its answer begins |
| \`message.queued\` | the message is stored and waits; \`position\` counts the waiting turns, this one included |
| \`error\` with \`duplicate_message\` | the session has this message already: count it as accepted, and read its frames |
| \`error\` with another code | the message is refused |

Until then, keep the message. After a reconnect send it again **with the same id**: the session takes each id once, so a
repetition never asks twice. Send it only once you have caught up, because the frames before may acknowledge it.

**A refused message** may be sent again under its id:

| code | when |
| --- | --- |
| \`rate_limited\`, \`overloaded\`, \`token_budget_spent\` | after \`retry_after_ms\` |
| \`store_unavailable\`, \`session_moved\`, \`audit_unavailable\`, \`internal\` | after a second, or after the reconnect: the server may have stored it |
| \`session_busy\`, \`queue_full\`, \`too_many_turns\` | when a turn has ended; a program should leave that to its user |
| any other | never: \`retryable\` is false |

**\`policy\`** says what happens if a turn runs. If none runs, the message starts one at once.

| policy | the message |
| --- | --- |
| \`queue\` | waits for its turn |
| \`reject\` | is refused with \`session_busy\` |
| \`interrupt\` | cancels the running turn, whose text stays in the conversation, and starts before all waiting messages |
| \`rollback\` | does the same, but the cancelled turn leaves the conversation: remove its question and its text |
| \`merge\` | joins the last waiting message if that has the policy \`merge\` too; otherwise it waits |

Without \`policy\` the service's \`OVERLAP_POLICY\` applies, by default \`queue\`. At most \`QUEUE_MAX\` messages wait, by default 8, and each merged one
counts; the next gets \`queue_full\`. The id of a rolled-back message stays taken.

**Merged messages** become one turn. An empty line joins their texts, and the last value of each option wins.
\`turn.started.message_ids\` lists them. \`message_id\`, there and in the frame that ends the turn, is the last of them, so keep
the list.

**\`instructions\`** adds to the system prompt of one turn. With \`AUTH\`, only a service may send it. **\`tags\`** are up to 16
notes of yours: those of a message come back in its \`turn.started\`, those of \`hello\` stay with the session. If a message has
\`patient\` but no \`content\`, the server writes its question.

## Other requests

| frame | answer |
| --- | --- |
| \`cancel\` | \`turn.cancelled\`, or \`unknown_turn\` if nothing of that name runs or waits |
| \`extend\` | \`extended\` |
| \`authenticate\` | \`authenticated\`, with \`AUTH=off\` for any token; after an \`error\` the former credential still holds |
| \`close\` | \`expired\`, then close 1000 |
| \`ping\` | \`pong\` |

These frames have no id. An \`error\` without \`message_id\` refuses one of them, or announces the close that follows it: wait for
the answer to one before you send the next. After a reconnect you may send \`cancel\`, \`extend\` and \`close\` again.

**\`cancel\`** without ids means the turn that runs when it arrives. To repeat a cancel safely, name \`turn_id\` or \`message_id\`.
A waiting message has no \`turn_id\` yet, so name its \`message_id\`: it leaves the queue, and messages that were merged leave
together. Each gets \`turn.cancelled\`, and none gets \`turn.started\`.

**\`close\`** ends the session for every client. A running turn gets \`turn.cancelled\`. Messages that wait get no frame: \`expired\`
stands for them all.`;

export const branching = `## Answer again, edit, fork

**\`regenerate\`** takes back a turn and all after it, and answers its question again. \`turn_id\` names the first turn to take
back; without it, the last one. With \`content\` it asks that question instead: the client edits the message. Each turn that
is taken back gets \`turn.retracted\`: remove it from the conversation. The new turn follows, under a new \`turn_id\`. Its
\`turn.started\` names the \`id\` of the \`regenerate\` as \`message_id\`, and acknowledges it like a message. The server refuses it with
\`session_busy\` while a turn runs, with \`unknown_turn\` if the session has no such turn, and with \`forbidden\` if another user
asked one of the questions.

**\`fork\`** copies the turns so far into a new session of the same owner, and changes nothing in this one. \`after\` names the last
turn to copy, \`before\` the first to leave out. Patient data goes with the turns, shares do not. \`forked\` names the new
session; a repeated \`fork\` with the same \`id\` gets the same one. Connect to it with \`after: 0\`: its log begins after the
copied turns, so the server sends these as a \`reset\` with the reason \`forked\`. It does the same for a conversation that began
with earlier messages over \`/v1/responses\` or \`/v1/conversations\`.`;

export const turns = `## The frames of a turn

\`message.queued\` (only if the message waits), \`turn.started\`, any number of \`delta\`, then exactly one of
\`turn.completed\`, \`turn.failed\` and \`turn.cancelled\`. A session runs one turn at a time. Other frames, such as \`state\`
and \`presence\`, may come between them.

The text of a turn is the concatenation of its \`delta\`s since its last \`turn.started\`, whichever instance sent them.

**A second \`turn.started\` for a running turn** (\`restarts\` counts them) means that the model server could not continue
a broken answer and starts over: clear the text and the reasoning that you have of this turn.

| field | meaning |
| --- | --- |
| \`turn.started.queued\` | messages that wait behind this turn |
| \`finish_reason\` | \`stop\`: the model ended; \`length\`: the answer reached \`max_tokens\`, by default \`GENERATION_MAX_TOKENS\` |
| \`metadata.resumed\` | how often the answer was continued after a failure |
| \`metadata.window\` | which turns the model read; for operators |
| \`turn.failed.error\` | like an \`error\` frame; with \`retryable\`, a new message may succeed |
| \`state.value\` | \`processing\`: a turn runs, or starts now; \`connected\`: none runs; \`idle\`: none runs, and no client is connected; \`expired\`: the end |

**The end of a session.** \`welcome.expires_at\` moves with each \`hello\`, \`message\`, \`regenerate\`, \`cancel\` and \`extend\`, and with
the end of a turn; \`ping\` does not move it. \`absolute_expires_at\` never moves. By default they lie one hour and four hours ahead.
\`expiring\` warns of either. \`expired\` is the last frame of a session, and final. Its \`reason\` decides the close: 1000 for
\`closed\` (a client), 4011 for \`idle\`, \`absolute\` and \`admin\`.

**Unknown frames and fields.** Ignore a frame whose \`type\` you do not know, and fields that you do not know: later versions
add both. Still keep the \`offset\` and the \`epoch\` of such a frame. The server is strict: a frame with an unknown field
gets \`bad_frame\`.`;

export const patient = `## Patient data

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
units and ranges of [HTTP.md](HTTP.md#protocolrequest), and the server refuses no value. An unknown field, or one with
an unreadable or impossible value such as \`"heart_rate": -5\`, becomes a note under its name, \`vitals.heart_rate\`. The
model reads the note of a known field as \`(unusable value, as sent)\`, never as a vital sign. A newer value of a field
replaces the older one, readable or not. Complaints and history are lists and only grow. Within \`patient\`, a null or empty
field changes nothing.`;

export const access = `## Access

A session belongs to the first user that a client names in it. From then on it is open to that user, and to
guests whose share has not expired. Leaving out \`user_id\` opens no session that has a user, and the server closes the
connections without a user that it has by then with 4003. A guest with \`read\` gets the frames; \`write\` adds
${framesThatNeed('write')}; only the owner sends ${framesThatNeed('owner')}. The server answers any other frame with
\`forbidden\`, and the connection stays open. It answers such a hello with \`forbidden\` and close 4003; with \`AUTH\`, a
session that is not open to the client counts as unknown. A \`client_id\` replaces an older connection of the same user only.
With \`AUTH\` the user is the proven one, and [PERMISSIONS.md](PERMISSIONS.md) shows what each role may do.

**A credential ends** when it expires, when its operator withdraws it, or when its user is disabled. A token expires 30
seconds after its \`exp\`, because clocks differ; \`welcome.identity_expires_at\` is that moment. Within five seconds of the end
every instance closes its connections with 4002 (\`identity_ended\`). A client that keeps its connection sends
\`authenticate\` before \`welcome.identity_expires_at\`; \`authenticated\` names the next end. After 4002, connect again
with a new credential and resume. The same one gets 4001 (\`unauthenticated\`), or HTTP 401 if the upgrade shows it.`;

function framesThatNeed(needed: string): string {
  const { options } = clientFrameSchema;
  const types = options.map(({ shape }) => shape.type.value);
  const names = types.filter((type) => type in neededAccess && neededAccess[type as never] === needed);
  return names.map((name) => `\`${name}\``).join(', ');
}
