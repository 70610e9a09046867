import { expect, it } from 'vitest';
import { RehydraChatTransport, type UiMessageChunk } from '../../../src/client/package/ai.ts';
import { delta, SESSION, started } from './client-scene.ts';
import { completed, fakeSockets } from './package-scene.ts';

const user = (id: string, text: string) => ({ id, role: 'user', parts: [{ type: 'text', text }] });
const send = (chatId: string, abortSignal?: AbortSignal) =>
  ({
    trigger: 'submit-message',
    chatId,
    messages: [user('old', 'before'), { id: 'x', role: 'assistant', parts: [] }, user('m', 'hello')],
    abortSignal,
  }) as const;

function chat(sessions = new Map<string, string>()) {
  const { WebSocket, ...server } = fakeSockets();
  return {
    ...server,
    sessions,
    transport: new RehydraChatTransport({ url: 'ws://one', sessions, WebSocket }),
  };
}

async function read(stream: ReadableStream<UiMessageChunk> | null): Promise<UiMessageChunk[]> {
  const chunks: UiMessageChunk[] = [];
  const reader = stream?.getReader();
  for (let next = await reader?.read(); next?.value !== undefined; next = await reader?.read())
    chunks.push(next.value);
  return chunks;
}

const opened: readonly UiMessageChunk[] = [
  { type: 'start', messageId: 'msg_atm' },
  { type: 'start-step' },
  { type: 'text-start', id: 'text' },
];
const text = (piece: string): UiMessageChunk => ({ type: 'text-delta', id: 'text', delta: piece });
const finished: readonly UiMessageChunk[] = [
  { type: 'text-end', id: 'text' },
  { type: 'finish-step' },
  { type: 'finish', finishReason: 'stop' },
];

it('the transport sends the last message of the user under its own id, and streams the answer', async () => {
  const { transport, dial, welcome, sessions } = chat();
  const chunks = read(await transport.sendMessages(send('chat')));
  await dial(1);
  const socket = welcome();
  expect(socket.ofType('message')).toEqual([{ type: 'message', id: 'm', content: 'hello' }]);
  socket.say(started(2, 'm'));
  socket.say(delta(3, 'm', 'good '));
  socket.say(delta(4, 'm', 'day'));
  socket.say(completed(5, 'm'));
  expect(await chunks).toEqual([...opened, text('good '), text('day'), ...finished]);
  expect([...sessions]).toEqual([['chat', SESSION]]);
  transport.leave('chat');
});

it('a page that reconnects gets the whole running answer once, under the same id', async () => {
  const { transport, dial, welcome } = chat(new Map([['chat', SESSION]]));
  const resumed = transport.reconnectToStream({ chatId: 'chat' });
  await dial(1);
  const socket = welcome({ resumed: true, offset: 4, state: 'processing' });
  socket.say({ type: 'state', offset: 1, epoch: 1, value: 'connected', version: 1 });
  socket.say({ type: 'state', offset: 2, epoch: 1, value: 'processing', version: 2 });
  socket.say(started(3, 'm'));
  socket.say(delta(4, 'm', 'good '));
  const chunks = read(await resumed);
  socket.say(delta(5, 'm', 'day'));
  socket.say(completed(6, 'm'));
  expect(await chunks).toEqual([...opened, text('good '), text('day'), ...finished]);
  transport.leave('chat');
});

it('a page that reconnects gets no stream when no answer is running', async () => {
  const { transport, dial, welcome } = chat();
  const resumed = transport.reconnectToStream({ chatId: SESSION });
  await dial(1);
  welcome({ offset: 0 });
  expect(await resumed).toBeNull();
  transport.leave(SESSION);
});

it('an abort cancels the turn at the server, and the stream ends with abort', async () => {
  const { transport, dial, welcome } = chat();
  const stop = new AbortController();
  const chunks = read(await transport.sendMessages(send('chat', stop.signal)));
  await dial(1);
  const socket = welcome();
  socket.say(started(2, 'm'));
  socket.say(delta(3, 'm', 'good '));
  stop.abort();
  expect(socket.ofType('cancel')).toEqual([{ type: 'cancel', turn_id: 't-m' }]);
  const cancelled = { type: 'turn.cancelled', turn_id: 't-m', message_id: 'm', reason: 'client' };
  socket.say({ ...cancelled, offset: 4, epoch: 1 });
  expect(await chunks).toEqual([
    ...opened,
    text('good '),
    { type: 'text-end', id: 'text' },
    { type: 'abort' },
  ]);
  transport.leave('chat');
});

it('an answer that starts over ends the stream with an error, because the page cannot take text back', async () => {
  const { transport, dial, welcome } = chat();
  const chunks = read(await transport.sendMessages(send('chat')));
  await dial(1);
  const socket = welcome();
  socket.say(started(2, 'm'));
  socket.say(delta(3, 'm', 'bad'));
  socket.say({ ...started(4, 'm'), restarts: 1 });
  const error = { type: 'error', errorText: 'the answer starts over: load it again' };
  expect(await chunks).toEqual([...opened, text('bad'), error]);
  transport.leave('chat');
});

it.each([
  ['an answer that is given again', 'regenerate-message', 'msg_atm', { turn_id: 't-m' }],
  ['the last answer, which is given again', 'regenerate-message', undefined, {}],
  ['a question that is edited', 'submit-message', 'm', { turn_id: 't-m', content: 'hello' }],
] as const)('the transport takes back the turn of %s', async (_, trigger, messageId, wanted) => {
  const { transport, dial, welcome } = chat(new Map([['chat', SESSION]]));
  const ready = transport.session('chat').ready;
  await dial(1);
  const socket = welcome({ offset: 3, resumed: true });
  await ready;
  const chunks = transport.sendMessages({ ...send('chat'), trigger, messageId }).then(read);
  for (const frame of [started(1, 'm'), delta(2, 'm', 'good day'), completed(3, 'm')]) socket.say(frame);
  await expect.poll(() => socket.ofType('regenerate')).toMatchObject([wanted]);
  const [{ id } = {}] = socket.ofType('regenerate');
  socket.say({ type: 'turn.retracted', offset: 4, epoch: 1, turn_id: 't-m' });
  for (const frame of [started(5, String(id)), delta(6, String(id), 'welcome'), completed(7, String(id))])
    socket.say(frame);
  expect((await chunks).filter(({ type }) => type === 'text-delta')).toEqual([text('welcome')]);
  transport.leave('chat');
});

it('a refused message ends the stream with the code of the server', async () => {
  const { transport, dial, welcome } = chat();
  const chunks = read(await transport.sendMessages(send('chat')));
  await dial(1);
  welcome().say({ type: 'error', code: 'queue_full', message: 'full', retryable: true, message_id: 'm' });
  expect(await chunks).toEqual([{ type: 'error', errorText: 'queue_full: full' }]);
  transport.leave('chat');
});
