/** The commands that docs/HTTP.md prints. A test pastes the page's blocks into one shell and reads what each answers. */

export interface CurlStep {
  readonly text: string;
  readonly command: string;
}

const JSON_TYPE = "-H 'content-type: application/json'";

export const curlSteps: readonly CurlStep[] = [
  {
    text: 'The address of the server. With `AUTH`, add `-H "authorization: Bearer …"` to each `curl`.',
    command: `REHYDRA=\${REHYDRA:-http://127.0.0.1:8080}`,
  },
  {
    text: 'Start a session. The server chooses its id.',
    command: `id=$(curl -s -X POST "$REHYDRA/v1/sessions" | sed 's/^{"session_id":"\\([^"]*\\)".*/\\1/')
echo "$id"`,
  },
  {
    text: 'Send a message and wait for the answer. The same `id` again gets the same answer, and no second turn.',
    command: `curl -s "$REHYDRA/v1/sessions/$id/messages" ${JSON_TYPE} \\
  -d '{"id":"first","content":"My knee hurts."}'`,
  },
  {
    text: 'Stream the next answer, and cancel it after a second. The stream ends with `turn.cancelled`; a shorter answer ends with `turn.completed`.',
    command: `curl -sN "$REHYDRA/v1/sessions/$id/messages" ${JSON_TYPE} \\
  -H 'accept: text/event-stream' -d '{"id":"second","content":"What can I do?"}' &
sleep 1
curl -s -X POST "$REHYDRA/v1/sessions/$id/cancel"
wait`,
  },
  {
    text: 'Edit the last question: the session forgets its turn, and answers the new text. Without a body it answers the same question again.',
    command: `curl -s "$REHYDRA/v1/sessions/$id/regenerate" ${JSON_TYPE} \\
  -d '{"id":"third","content":"What helps at night?"}'`,
  },
  {
    text: 'Copy the conversation so far into a new session, which goes on under an id of its own.',
    command: `copy=$(curl -s -X POST "$REHYDRA/v1/sessions/$id/fork" | sed 's/^{"session_id":"\\([^"]*\\)".*/\\1/')
echo "$copy"`,
  },
  {
    text: 'Keep the session open. The answer has both deadlines.',
    command: `curl -s -X POST "$REHYDRA/v1/sessions/$id/extend"`,
  },
  {
    text: 'Read the events of the session from the beginning, and follow them for two seconds.',
    command: `curl -sN --max-time 2 "$REHYDRA/v1/sessions/$id/events?after=0"`,
  },
  {
    text: 'Resume after an event: `Last-Event-ID` is the `id` of the last one that you have.',
    command: `curl -sN --max-time 2 "$REHYDRA/v1/sessions/$id/events" -H 'last-event-id: 4'`,
  },
  {
    text: 'The conversation so far.',
    command: `curl -s "$REHYDRA/api/session/$id/transcript"`,
  },
  {
    text: 'End the sessions and delete them.',
    command: `curl -s -X DELETE "$REHYDRA/api/session/$copy"
curl -s -X DELETE "$REHYDRA/api/session/$id"`,
  },
];

export function curlSection(): string {
  const blocks = curlSteps.map(({ text, command }) => `${text}\n\n\`\`\`sh\n${command}\n\`\`\``);
  return `## With curl\n\nA conversation from its start to its end, with the server of \`npm start\`.\n\n${blocks.join('\n\n')}`;
}
