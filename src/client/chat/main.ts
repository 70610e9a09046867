/** `npm run chat` is the terminal chat. In a pipe, each line is a message that waits for the answer before it. */
import { randomUUID } from 'node:crypto';
import { createInterface, type Interface } from 'node:readline';
import { WebSocket } from 'ws';
import { connect, RehydraError, type RehydraSession, type SentMessage } from '../package/client.ts';
import type { ClientEvent, OverReason } from '../session.ts';
import { chatCallOf, PIPE_WAIT_MS, resumeCommand } from './arguments.ts';
import { Screen } from './screen.ts';
import { chatToken } from './token.ts';

const COMMANDS =
  '/cancel stops the answer · /again answers the last question again · /again <text> answers this one in its place · /fork copies the conversation · /extend keeps the session open · /close ends it · /quit leaves it · //x sends /x';

const call = chatCallOf(process.argv.slice(2));
if (call.kind !== 'run') {
  (call.kind === 'print' ? process.stdout : process.stderr).write(call.text);
  process.exit(call.kind === 'print' ? 0 : 2);
}
const { urls, sessionId, userId, tokenFile, waitMs } = call;
const proof = chatToken(tokenFile, process.env);
if (proof.kind === 'wrong') {
  process.stderr.write(`${proof.why}\n`);
  process.exit(2);
}
const { token } = proof;
/** A user at a terminal sees that the server is away and may wait for it; a script would hang. */
const giveUpAfterMs = waitMs ?? (process.stdin.isTTY ? undefined : PIPE_WAIT_MS);
const screen = new Screen({
  answers: process.stdout,
  notes: process.stderr,
  resumeCommand: (id) => resumeCommand(urls, id, userId, tokenFile),
  isResuming: sessionId !== null,
  urls,
});
const waiters = new Set<{ readonly condition: () => boolean; readonly resolve: () => void }>();
let awaitsExtended = false;
/** Settles once the server has made or refused the last copy. */
let forking: Promise<void> = Promise.resolve();
let caughtUpAt: number | null = null;
/** In a pipe: a line was not a message, or got no whole answer. */
let hasFailed = false;

const session: RehydraSession = connect({
  url: urls,
  WebSocket,
  // Lets a reconnect replace this client's old connection if the server has not noticed its end.
  clientId: `chat-${randomUUID()}`,
  ...(sessionId === null ? {} : { sessionId }),
  ...(userId === null ? {} : { userId }),
  ...(token === undefined ? {} : { token }),
  ...(giveUpAfterMs === undefined ? {} : { giveUpAfterMs }),
});
session.on('*', onEvent);
const lines = createInterface({
  input: process.stdin,
  ...(process.stdin.isTTY ? { output: process.stdout, prompt: '› ' } : {}),
});
// The reader of the answers may close the pipe early: `npm run chat | head -1`.
process.stdout.on('error', () => process.exit(0));
const talking = process.stdin.isTTY ? talk(lines) : pipe(lines);
talking.catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});

function onEvent(event: ClientEvent): void {
  screen.show(event, session);
  if (event.type === 'extended' || event.type === 'error' || event.type === 'lost') awaitsExtended = false;
  if (event.type === 'welcomed') caughtUpAt ??= event.welcome.offset;
  if (event.type === 'reset') caughtUpAt = 0;
  if (event.type === 'over') return leave(exitCodeOf(event.why));
  if (process.stdin.isTTY && caughtUp() && isIdle(event)) lines.prompt();
  for (const waiter of waiters)
    if (waiter.condition()) {
      waiters.delete(waiter);
      waiter.resolve();
    }
}

function exitCodeOf(why: OverReason): number {
  // The address is a wrong argument.
  if (why === 'refused') return 2;
  return (process.stdin.isTTY || !hasFailed) && (why === 'ended' || why === 'stopped') ? 0 : 1;
}

/** No turn is running, so the user may type. */
function isIdle(event: ClientEvent): boolean {
  return event.type === 'frame' && event.frame.type === 'state' && event.frame.value === 'connected';
}

function until(condition: () => boolean): Promise<void> {
  if (condition()) return Promise.resolve();
  return new Promise((resolve) => waiters.add({ condition, resolve }));
}

function caughtUp(): boolean {
  return caughtUpAt !== null && session.conversation.offset >= caughtUpAt;
}

async function pipe(input: Interface): Promise<void> {
  const queue = input[Symbol.asyncIterator]();
  await until(caughtUp);
  for (let next = await queue.next(); next.done !== true; next = await queue.next()) {
    const message = handleLine(next.value);
    // The program ends once the server has ended the session.
    if (next.value.trim() === '/close') return;
    await until(() => !awaitsExtended);
    await forking;
    if (message !== null && !(await isAnswered(message))) hasFailed = true;
  }
  await until(() => session.state !== 'processing');
  session.leave();
}

async function talk(input: Interface): Promise<void> {
  screen.note(COMMANDS);
  input.on('line', (line) => {
    if (handleLine(line) === null) input.prompt();
  });
  input.on('SIGINT', () => {
    if (session.state !== 'processing' || !session.cancel()) session.leave();
  });
  input.on('close', () => session.leave());
  await until(caughtUp);
  input.prompt();
}

/** False if the server refused the message, or its turn failed or was cancelled. */
function isAnswered({ done }: SentMessage): Promise<boolean> {
  return done.then(
    ({ outcome }) => outcome.kind === 'completed' || outcome.kind === 'past',
    // The server no longer has an answer that the user may have seen.
    (error: unknown) => error instanceof RehydraError && error.code === 'answer_lost',
  );
}

function handleLine(line: string): SentMessage | null {
  const text = line.trim();
  switch (text) {
    case '':
      return null;
    case '/help':
      screen.note(COMMANDS);
      return null;
    case '/quit':
      session.leave();
      return null;
    case '/close':
      session.close();
      return null;
    case '/cancel':
      if (!session.cancel()) screen.note('not connected');
      return null;
    case '/extend':
      awaitsExtended = session.extend();
      if (!awaitsExtended) screen.note('not connected');
      return null;
    case '/fork':
      forking = session.fork().then(
        () => {},
        () => {
          hasFailed = true;
        },
      );
      return null;
  }
  const again = /^\/again(?:\s+(.+))?$/.exec(text);
  // A path or "/ 2 tablets" is a message; a second slash sends a command as one.
  if (again === null && /^\/[a-z]+$/i.test(text.split(/\s/)[0] ?? '')) {
    screen.note(`${text} is not a command, and was not sent; /help lists the commands, /${text} sends it`);
    hasFailed = true;
    return null;
  }
  try {
    if (again !== null) return session.regenerate(again[1] === undefined ? {} : { content: again[1] });
    return session.send(text.startsWith('//') ? text.slice(1) : text);
  } catch (error) {
    screen.note(error instanceof Error ? error.message : 'not sent');
    hasFailed = true;
    return null;
  }
}

/** Exits once both streams have drained: a pipe would lose the rest of the answer. */
function leave(code: number): void {
  lines.removeAllListeners('close');
  lines.close();
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
}
