/**
 * The floor is a server without machine and actor: the least that a stored transition can cost. For each message it runs
 * the service's commit script with the service's bytes, and replies after Redis has acknowledged. It writes to Redis
 * once per turn of Node's event loop.
 */
import { randomUUID } from 'node:crypto';
import { sessionKeys } from '../src/store/redis/keys.ts';
import { loadUws } from '../src/transport/uws.ts';
import { type CommitBytes, commitBytes, type Hole } from './floor/commit-bytes.ts';
import { argument, command, openPipeline } from './floor/pipeline.ts';
import { exchange } from './load/exchanges.ts';

/** The command of a transition, cut at the values that change: each hole follows its text. */
interface Template {
  readonly cuts: readonly { readonly before: string; readonly hole: Hole }[];
  readonly end: string;
  readonly frames: readonly string[];
}

interface UserData {
  readonly sessionId: string;
  readonly token: string;
  templates: { readonly extend: Template; readonly restart: Template } | null;
  version: number;
  head: number;
  open: boolean;
}

const uws = await loadUws();
const redis = openPipeline(Number(process.env.FLOOR_REDIS_PORT));
const decoder = new TextDecoder();
const refusal = `${exchange('extend').replyStart},"message":"There is no such turn.","retryable":false}`;

function templateOf({ sha, keys, args, frames }: CommitBytes): Template {
  const words = ['EVALSHA', sha, String(keys.length), ...keys, ...args];
  const cuts: { before: string; hole: Hole }[] = [];
  let text = `*${words.length}\r\n`;
  for (const word of words) {
    if (typeof word === 'string') text += argument(word);
    else {
      cuts.push({ before: text, hole: word.hole });
      text = '';
    }
  }
  return { cuts, end: text, frames };
}

async function prepare(data: UserData): Promise<void> {
  const { sessionId, token } = data;
  const extend = await commitBytes('extend', sessionId, token);
  const restart = await commitBytes('restart', sessionId, token);
  data.templates = { extend: templateOf(extend), restart: templateOf(restart) };
  const { session, lock } = sessionKeys(sessionId);
  await new Promise((resolve) => {
    redis.send(command('SCRIPT', 'LOAD', extend.scriptText), () => {});
    redis.send(command('HSET', session, 'token', token, 'epoch', '1'), () => {});
    redis.send(command('SET', lock, token, 'PX', '3000'), resolve);
  });
}

function transition(data: UserData, template: Template, messageId: string, done: () => void): void {
  const values: Readonly<Record<Hole, string>> = {
    writeId: `${data.token}.${data.version}`,
    version: String(data.version),
    head: String(data.head),
    messageId,
  };
  data.version += 1;
  data.head += template.frames.length;
  let text = '';
  for (const { before, hole } of template.cuts) text += before + argument(values[hole]);
  redis.send(text + template.end, (reply) => {
    // For a message id that it has already stored, the script returns the id and stores nothing.
    if (!reply.startsWith(':')) throw new Error(`the floor's transition was not stored: ${reply}`);
    done();
  });
}

uws
  .App()
  .ws<UserData>('/v1/session', {
    compression: uws.DISABLED,
    upgrade(res, req, context) {
      const token = randomUUID().replaceAll('-', '').slice(0, 32);
      res.upgrade<UserData>(
        { sessionId: randomUUID(), token, templates: null, version: 0, head: 0, open: true },
        req.getHeader('sec-websocket-key'),
        '',
        '',
        context,
      );
    },
    message(ws, bytes) {
      const data = ws.getUserData();
      const frame = JSON.parse(decoder.decode(bytes)) as { readonly type: string; readonly id?: string };
      const reply = (texts: readonly string[]) => {
        if (data.open) ws.cork(() => texts.forEach((text) => void ws.send(text)));
      };
      if (frame.type === 'hello') {
        const welcome = JSON.stringify({ type: 'welcome', session_id: data.sessionId });
        void prepare(data).then(() => reply([welcome]));
        return;
      }
      if (frame.type === 'close') return void ws.end(1000);
      if (data.templates === null) return;
      if (frame.type === 'message') {
        const { restart } = data.templates;
        return transition(data, restart, frame.id ?? '', () => reply(restart.frames));
      }
      // The workload pairs each `extend` with a `cancel` that changes nothing.
      if (frame.type === 'extend') transition(data, data.templates.extend, '', () => reply([refusal]));
    },
    close(ws) {
      ws.getUserData().open = false;
    },
  })
  .listen('127.0.0.1', 0, (socket) => {
    if (socket === false) throw new Error('no port to listen on');
    console.log(JSON.stringify({ msg: 'listening', port: uws.us_socket_local_port(socket) }));
  });
