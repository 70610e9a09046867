/**
 * The floor is a server without machine and actor: the least that a stored transition, or a turn, can cost. It runs the
 * service's scripts with the service's bytes and replies after Redis has acknowledged. It writes to Redis once per turn of
 * Node's event loop. For a turn it asks the upstream with a bare client and splits the answer into events.
 */
import { randomUUID } from 'node:crypto';
import { type Dispatcher, Pool } from 'undici';
import type { Fence } from '../../src/store/contract.ts';
import { openRedisStore } from '../../src/store/redis/open.ts';
import { loadUws } from '../../src/transport/uws.ts';
import { argument, command, openPipeline } from './pipeline.ts';
import {
  firstCommit,
  type Gap,
  type Hole,
  TURN_ID,
  type Write,
  type WriteBytes,
  writeBytes,
} from './write-bytes.ts';

/** A command, cut at the values that change: each hole follows its text. */
interface Template {
  readonly cuts: readonly { readonly before: string; readonly gap: Gap }[];
  readonly end: string;
  readonly frames: readonly string[];
}

interface UserData {
  readonly sessionId: string;
  templates: Readonly<Record<Write, Template>> | null;
  fence: Fence | null;
  version: number;
  head: number;
  writes: number;
  open: boolean;
}

const { FLOOR_REDIS_PORT, FLOOR_UPSTREAM, FLOOR_APPENDS } = process.env;
const LEASE_MS = 3_000;
const uws = await loadUws();
const redis = openPipeline(Number(FLOOR_REDIS_PORT));
const store = await openRedisStore({
  url: `redis://127.0.0.1:${FLOOR_REDIS_PORT}`,
  leaseMs: LEASE_MS,
  frameLogMax: 20_000,
  inboxMax: 256,
});
const upstream = new Pool(FLOOR_UPSTREAM ?? '', { connections: null, pipelining: 1 });
/** As many appends as the service makes in a turn of one token: none, or one. */
const appendsText = FLOOR_APPENDS === '1';
const decoder = new TextDecoder();
const EXTENDED = JSON.stringify({
  type: 'extended',
  expires_at: 1_750_003_600_000,
  absolute_expires_at: 1_750_014_400_000,
});

function templateOf({ sha, keys, args, frames }: WriteBytes): Template {
  const words = ['EVALSHA', sha, String(keys.length), ...keys, ...args];
  const cuts: { before: string; gap: Gap }[] = [];
  let text = `*${words.length}\r\n`;
  for (const word of words) {
    if (typeof word === 'string') text += argument(word);
    else {
      cuts.push({ before: text, gap: word });
      text = '';
    }
  }
  return { cuts, end: text, frames };
}

/** Creates the session through the service's own store, so that the scripts find what they expect. */
async function prepare(data: UserData): Promise<void> {
  const claim = await store.claim(data.sessionId, 'a1b2c3d4e5f6');
  if (claim.kind !== 'claimed') throw new Error('another claim holds a new session');
  const first = firstCommit(claim.fence);
  await store.commit(claim.fence, first);
  const template = async (write: Write) => templateOf(await writeBytes(write, claim.fence));
  data.fence = claim.fence;
  data.version = 1;
  data.head = first.frames.length;
  data.templates = {
    extend: await template('extend'),
    message: await template('message'),
    append: await template('append'),
    completed: await template('completed'),
  };
}

function write(data: UserData, template: Template, done: () => void, messageId = '', newText = ''): void {
  data.writes += 1;
  const values: Readonly<Record<Hole, string>> = {
    writeId: `${data.fence?.token}.${data.writes}`,
    version: String(data.version),
    head: String(data.head),
    messageId,
    text: newText,
  };
  let text = '';
  for (const { before, gap } of template.cuts)
    text += before + argument(gap.before + values[gap.hole] + gap.after);
  if (template !== data.templates?.append) data.version += 1;
  data.head += template.frames.length;
  redis.send(text + template.end, (reply) => {
    // For a message id that it has already stored, the script returns the id and stores nothing.
    if (!reply.startsWith(':')) throw new Error(`the floor's write was not stored: ${reply}`);
    done();
  });
}

function turn(
  data: UserData,
  messageId: string,
  content: string,
  send: (texts: readonly string[]) => void,
): void {
  const { templates, fence } = data;
  if (templates === null || fence === null) return;
  const complete = () => write(data, templates.completed, () => send(templates.completed.frames));
  const ask = async () => {
    const text = await answerOf(content);
    if (!appendsText) return complete();
    const delta = { type: 'delta', offset: data.head + 1, epoch: fence.epoch, turn_id: TURN_ID, text };
    const frame = JSON.stringify(delta);
    const appended = () => {
      send([frame]);
      complete();
    };
    write(data, templates.append, appended, '', JSON.stringify(text).slice(1, -1));
  };
  const started = () => {
    send(templates.message.frames);
    void ask();
  };
  write(data, templates.message, started, messageId);
}

const HEADERS = { 'content-type': 'application/json' };

async function answerOf(content: string): Promise<string> {
  const messages = [{ role: 'user', content }];
  const body = JSON.stringify({ model: 'bench', stream: true, messages });
  const path = '/v1/chat/completions';
  const response: Dispatcher.ResponseData = await upstream.request({
    path,
    method: 'POST',
    headers: HEADERS,
    body,
  });
  let text = '';
  let rest = '';
  return new Promise((resolve, reject) => {
    response.body.on('data', (bytes: Buffer) => {
      const events = (rest + bytes.toString()).split('\n\n');
      rest = events.pop() ?? '';
      for (const event of events) text += textOf(event);
    });
    response.body.on('end', () => resolve(text));
    response.body.on('error', reject);
  });
}

function textOf(event: string): string {
  if (!event.startsWith('data: {')) return '';
  const { choices } = JSON.parse(event.slice('data: '.length)) as {
    readonly choices: readonly { readonly delta: { readonly content?: string } }[];
  };
  return choices[0]?.delta.content ?? '';
}

const loaded = await writeBytes('append', { sessionId: '', instance: '', token: '', epoch: 1 });
redis.send(command('SCRIPT', 'LOAD', loaded.scriptText), () => {});

uws
  .App()
  .ws<UserData>('/v1/session', {
    compression: uws.DISABLED,
    upgrade(res, req, context) {
      const empty = { templates: null, fence: null, version: 0, head: 0, writes: 0, open: true };
      const data = { sessionId: randomUUID(), ...empty };
      res.upgrade<UserData>(data, req.getHeader('sec-websocket-key'), '', '', context);
    },
    message(ws, bytes) {
      const data = ws.getUserData();
      const frame = JSON.parse(decoder.decode(bytes)) as { type: string; id?: string; content?: string };
      const send = (texts: readonly string[]) => {
        if (data.open) ws.cork(() => texts.forEach((text) => void ws.send(text)));
      };
      if (frame.type === 'close') return void ws.end(1000);
      if (frame.type === 'message') return turn(data, frame.id ?? '', frame.content ?? '', send);
      if (frame.type === 'extend' && data.templates !== null)
        return write(data, data.templates.extend, () => send([EXTENDED]));
      if (frame.type !== 'hello') return;
      const welcome = JSON.stringify({ type: 'welcome', session_id: data.sessionId });
      void prepare(data).then(() => send([welcome]));
    },
    close(ws) {
      ws.getUserData().open = false;
    },
  })
  .listen('127.0.0.1', 0, (socket) => {
    if (socket === false) throw new Error('no port to listen on');
    console.log(JSON.stringify({ msg: 'listening', port: uws.us_socket_local_port(socket) }));
  });
