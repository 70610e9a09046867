/**
 * What a team writes that follows the documentation of each library: `ws` for the sockets, `redlock` around each
 * transition, `ioredis` for GET and SET, XState's persisted snapshot, `openai` for the answer. It has no log, no
 * replay and no fence: a client that reconnects gets the state but not the text that it missed.
 */
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import OpenAI from 'openai';
import Redlock from 'redlock';
import { type WebSocket, WebSocketServer } from 'ws';
import { createActor, type EventFrom } from 'xstate';
import { documentedMachine, IDLE_MS } from './chart.ts';

interface Lock {
  release(): Promise<unknown>;
}
/** The types that redlock ships are hidden by its `exports`; the service declares only what it uses itself. */
type RedlockAsDocumented = new (
  clients: readonly Redis[],
) => { acquire(resources: readonly string[], durationMs: number): Promise<Lock> };

const LOCK_MS = 5_000;
const redis = new Redis(Number(process.env.CONTENDER_REDIS_PORT), '127.0.0.1');
const redlock = new (Redlock as unknown as RedlockAsDocumented)([redis]);
const openai = new OpenAI({ apiKey: 'unused', baseURL: `${process.env.CONTENDER_UPSTREAM}/v1` });

type Event = EventFrom<typeof documentedMachine>;

async function transition(sessionId: string, event: Event | null) {
  const lock = await redlock.acquire([`lock:${sessionId}`], LOCK_MS);
  try {
    const stored = await redis.get(`session:${sessionId}`);
    const input = { sessionId, at: Date.now() };
    const options = stored === null ? { input } : { input, snapshot: JSON.parse(stored) };
    const actor = createActor(documentedMachine, options).start();
    if (event !== null) actor.send(event);
    const { context } = actor.getSnapshot();
    await redis.set(`session:${sessionId}`, JSON.stringify(actor.getPersistedSnapshot()), 'PX', IDLE_MS);
    actor.stop();
    return context;
  } finally {
    await lock.release();
  }
}

async function turn(socket: WebSocket, sessionId: string, messageId: string, content: string): Promise<void> {
  const turnId = randomUUID();
  const send = (frame: object) => socket.send(JSON.stringify(frame));
  const { messages } = await transition(sessionId, { type: 'message', at: Date.now(), turnId, content });
  send({ type: 'turn.started', turn_id: turnId, message_id: messageId });
  const stream = await openai.chat.completions.create({
    model: 'bench',
    stream: true,
    messages: [...messages],
  });
  let text = '';
  for await (const chunk of stream) {
    const piece = chunk.choices[0]?.delta.content ?? '';
    if (piece === '') continue;
    text += piece;
    send({ type: 'delta', turn_id: turnId, text: piece });
  }
  await transition(sessionId, { type: 'completed', at: Date.now(), text });
  send({ type: 'turn.completed', turn_id: turnId });
}

async function take(socket: WebSocket, sessionId: string, text: string): Promise<void> {
  const frame = JSON.parse(text) as {
    readonly type: string;
    readonly id?: string;
    readonly content?: string;
  };
  switch (frame.type) {
    case 'hello':
      await transition(sessionId, null);
      socket.send(JSON.stringify({ type: 'welcome', session_id: sessionId }));
      break;
    case 'extend': {
      const { createdAt, lastActivityAt } = await transition(sessionId, { type: 'extend', at: Date.now() });
      const deadlines = {
        expires_at: lastActivityAt + IDLE_MS,
        absolute_expires_at: createdAt + 4 * IDLE_MS,
      };
      socket.send(JSON.stringify({ type: 'extended', ...deadlines }));
      break;
    }
    case 'message':
      await turn(socket, sessionId, frame.id ?? '', frame.content ?? '');
      break;
    case 'close':
      await transition(sessionId, { type: 'close' });
      await redis.del(`session:${sessionId}`);
      socket.close(1000);
  }
}

const server = new WebSocketServer({ port: 0, host: '127.0.0.1', path: '/v1/session' });
server.on('connection', (socket) => {
  const sessionId = randomUUID();
  socket.on('error', () => socket.terminate());
  socket.on('message', (data) => {
    take(socket, sessionId, data.toString()).catch((error: unknown) => {
      socket.send(JSON.stringify({ type: 'error', message: String(error) }));
    });
  });
});
server.on('listening', () => {
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : null;
  console.log(JSON.stringify({ msg: 'listening', port }));
});
