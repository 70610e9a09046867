/** The terminal client: `npm run chat`. On a terminal a conversation; in a pipe each line is a message, one by one. */
import { randomUUID } from 'node:crypto';
import { createInterface, type Interface } from 'node:readline';
import { parseArgs } from 'node:util';
import { WebSocket } from 'ws';
import { Awaited } from './awaited.ts';
import { Screen } from './chat-screen.ts';
import type { Session, SessionEvent } from './session.ts';
import { openSession } from './session-client.ts';

const DEFAULT_URL = 'ws://127.0.0.1:8080/v1/session';
const USAGE = `usage: npm run chat -- [--url ${DEFAULT_URL}]… [--session <uuid>]

  --url       where instances listen; several are tried in turn (repeat it, or separate by commas)
  --session   resume this session: its conversation is shown, then goes on
  --help      show this

On a terminal, /help lists the commands. In a pipe each line is a message, and the exit code is 1 if one of them got no
whole answer: echo hello | npm run --silent chat
`;
const COMMANDS =
  '/cancel stops the answer · /extend stays · /close ends the session · /quit leaves it · //x sends /x';

interface Arguments {
  readonly urls: readonly string[];
  readonly sessionId: string | null;
}

function readArguments(): Arguments {
  try {
    const { values } = parseArgs({
      options: {
        url: { type: 'string', multiple: true },
        session: { type: 'string' },
        help: { type: 'boolean' },
      },
    });
    if (values.help === true) {
      process.stdout.write(USAGE);
      process.exit(0);
    }
    const urls = (values.url ?? [DEFAULT_URL]).flatMap((list) =>
      list.split(',').flatMap((url) => url.trim() || []),
    );
    for (const url of urls) if (!isAddress(url)) return refuse(`--url ${url} is not like ${DEFAULT_URL}`);
    const sessionId = values.session ?? null;
    if (sessionId !== null && !UUID.test(sessionId)) return refuse(`--session ${sessionId} is not a UUID`);
    return { urls, sessionId };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : 'bad arguments'}\n\n${USAGE}`);
    process.exit(2);
  }
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function isAddress(url: string): boolean {
  return URL.canParse(url) && /^wss?:$/.test(new URL(url).protocol);
}

function refuse(why: string): never {
  process.stderr.write(`${why}\n`);
  process.exit(2);
}

const { urls, sessionId } = readArguments();
const urlArguments = urls.length === 1 && urls[0] === DEFAULT_URL ? '' : `--url ${urls.join(',')} `;
const screen = new Screen({
  answers: process.stdout,
  notes: process.stderr,
  resumeCommand: (id) => `npm run chat -- ${urlArguments}--session ${id}`,
});
const waiting = new Set<{ readonly condition: () => boolean; readonly resolve: () => void }>();
let awaited: Awaited | null = null;
let caughtUpAt: number | null = null;
/** Of a pipe: a line was no message, or got no whole answer. */
let hasFailed = false;

const session: Session = openSession({
  urls,
  connect: (url) => new WebSocket(url),
  // A reconnect replaces our own old connection where the server has not noticed its end yet.
  clientId: `chat-${randomUUID()}`,
  ...(sessionId === null ? {} : { sessionId, after: 0 }),
  onEvent,
});
const lines = createInterface({
  input: process.stdin,
  ...(process.stdin.isTTY ? { output: process.stdout, prompt: '› ' } : {}),
});
// Who reads our answers may have had enough of them: `npm run chat | head -1`.
process.stdout.on('error', () => process.exit(0));
const talking = process.stdin.isTTY ? talk(lines) : pipe(lines);
talking.catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});

function onEvent(event: SessionEvent): void {
  screen.show(event, session);
  awaited?.hear(event);
  if (event.type === 'welcomed') caughtUpAt ??= event.welcome.offset;
  if (event.type === 'reset') caughtUpAt = 0;
  if (event.type === 'over')
    return leave(!hasFailed && (event.why === 'ended' || event.why === 'stopped') ? 0 : 1);
  if (process.stdin.isTTY && caughtUp() && isRest(event)) lines.prompt();
  for (const waiter of waiting)
    if (waiter.condition()) {
      waiting.delete(waiter);
      waiter.resolve();
    }
}

/** The session has nothing under way: whoever sits here may speak. */
function isRest(event: SessionEvent): boolean {
  return event.type === 'frame' && event.frame.type === 'state' && event.frame.value === 'connected';
}

function until(condition: () => boolean): Promise<void> {
  if (condition()) return Promise.resolve();
  return new Promise((resolve) => waiting.add({ condition, resolve }));
}

function caughtUp(): boolean {
  return caughtUpAt !== null && session.conversation.offset >= caughtUpAt;
}

async function pipe(input: Interface): Promise<void> {
  const queue = input[Symbol.asyncIterator]();
  await until(caughtUp);
  for (let next = await queue.next(); next.done !== true; next = await queue.next()) {
    const message = take(next.value);
    // The server's word that the session is over ends the program.
    if (next.value.trim() === '/close') return;
    if (message !== null) await until(() => message.isDone(session));
    if (message?.hasFailed(session) === true) hasFailed = true;
  }
  await until(() => session.state !== 'processing');
  session.stop();
}

async function talk(input: Interface): Promise<void> {
  screen.note(COMMANDS);
  input.on('line', (line) => {
    if (take(line) === null) input.prompt();
  });
  input.on('SIGINT', () => {
    if (session.state !== 'processing' || !session.cancel()) session.stop();
  });
  input.on('close', () => session.stop());
  await until(caughtUp);
  input.prompt();
}

function take(line: string): Awaited | null {
  const text = line.trim();
  switch (text) {
    case '':
      return null;
    case '/help':
      screen.note(COMMANDS);
      return null;
    case '/quit':
      session.stop();
      return null;
    case '/close':
      session.close();
      return null;
    case '/cancel':
    case '/extend':
      if (!(text === '/cancel' ? session.cancel() : session.extend())) screen.note('not connected');
      return null;
  }
  // A path or "/ 2 tablets" is no command; one slash more sends what would be one.
  if (/^\/[a-z]+$/i.test(text.split(/\s/)[0] ?? '')) {
    screen.note(`${text} is not a command, and was not sent; /help lists the commands, /${text} sends it`);
    hasFailed = !process.stdin.isTTY;
    return null;
  }
  try {
    awaited = new Awaited(session.send(text.startsWith('//') ? text.slice(1) : text));
    return awaited;
  } catch (error) {
    screen.note(error instanceof Error ? error.message : 'not sent');
    hasFailed = !process.stdin.isTTY;
    return null;
  }
}

/** Ends when what was written has left: a pipe would lose the rest of the answer. */
function leave(code: number): void {
  lines.removeAllListeners('close');
  lines.close();
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
}
