/** The AI SDK's routes, read as its transports read them: two instances beside one Redis. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { UiChunk } from '../../src/http/ai-sdk/ui-chunk.ts';
import { get, post, problemOf } from '../support/instance/http.ts';
import { startInstance, startSimulatorProcess } from '../support/instance/instance.ts';
import { metric } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

const SLOW = '[[fault:tps=60,tokens=120]] chest pain';
const LONG = '[[fault:tps=40,tokens=4000]] a long story';

const [redis, simulator] = started(startRedis, () =>
  startSimulatorProcess({ SIMULATOR_TOKENS: '24', SIMULATOR_TOKENS_PER_SECOND: '0' }),
);
const launch = () => startInstance({ REDIS_URL: redis.url, VLLM_BASE_URL: simulator.url });
const [one, two] = started(launch, launch);

const promptTokens = () => metric(simulator.url.slice(0, -'/v1'.length), 'vllm:prompt_tokens_total');
const chatOf = (http: string, id: string) => `${http}/api/chat/${encodeURIComponent(id)}`;
const question = (id: string, text: string, messageId: string = randomUUID()) => ({
  id,
  messages: [{ id: messageId, role: 'user', parts: [{ type: 'text', text }] }],
  trigger: 'submit-message',
});

interface Stream {
  readonly headers: Headers;
  readonly chunks: readonly UiChunk[];
  readonly isDone: boolean;
}

/** Reads chunks to the end of the stream, or cuts the connection as soon as `enough` holds. */
async function readChunks(
  url: string,
  body: unknown,
  enough: (chunks: readonly UiChunk[]) => boolean = () => false,
): Promise<Stream> {
  const cut = new AbortController();
  const sent = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  };
  const response = await fetch(url, { ...(body !== null && sent), signal: cut.signal });
  if (response.status !== 200 || response.body === null)
    throw new Error(`${response.status} ${await response.text()}`);
  const chunks: UiChunk[] = [];
  let isDone = false;
  let text = '';
  try {
    for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
      const blocks = (text + piece).split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        if (!block.startsWith('data: ')) continue;
        const data = block.slice('data: '.length);
        if (data === '[DONE]') isDone = true;
        else chunks.push(JSON.parse(data));
      }
      if (enough(chunks)) break;
    }
  } finally {
    cut.abort();
  }
  return { headers: response.headers, chunks, isDone };
}

const resume = (http: string, id: string, query = '') =>
  readChunks(`${chatOf(http, id)}/stream${query}`, null);
const textOf = (chunks: readonly UiChunk[]) =>
  chunks.map((chunk) => (chunk.type === 'text-delta' ? chunk.delta : '')).join('');
const messageIdOf = ([first]: readonly UiChunk[]) => (first?.type === 'start' ? first.messageId : null);
const runOf = ({ headers }: Stream) => headers.get('x-workflow-run-id') ?? '';
const hasText = (chunks: readonly UiChunk[]) => textOf(chunks) !== '';
const history = async (http: string, id: string) => (await get(chatOf(http, id))).body as UiMessage[];

interface UiMessage {
  readonly id: string;
  readonly role: string;
  readonly parts: readonly { readonly text: string }[];
}

describe('chats of the AI SDK', () => {
  it('a question is answered as a UI message stream with the headers that the transports read', async () => {
    const stream = await readChunks(`${one.http}/api/chat`, question('hello-chat', 'hello'));
    expect(stream.headers.get('content-type')).toContain('text/event-stream');
    expect(stream.headers.get('x-vercel-ai-ui-message-stream')).toBe('v1');
    expect(stream.headers.get('cache-control')).toContain('no-cache');
    expect(runOf(stream)).toMatch(/^run_[0-9a-f]{64}$/);
    expect(stream.chunks[0]).toMatchObject({ type: 'start' });
    expect(stream.chunks.at(-1)).toMatchObject({ type: 'finish', finishReason: 'stop' });
    expect(stream.isDone).toBe(true);
  });

  it('a page that was loaded again resumes the running answer on the other instance, under the same message id', async () => {
    const id = `chat-${randomUUID()}`;
    const first = await readChunks(`${one.http}/api/chat`, question(id, SLOW), hasText);
    const before = await history(two.http, id);
    expect(before.map(({ role }) => role)).toEqual(['user']);
    const second = await resume(two.http, id);
    expect(second.isDone).toBe(true);
    expect(messageIdOf(second.chunks)).toBe(messageIdOf(first.chunks));
    expect(textOf(second.chunks).startsWith(textOf(first.chunks))).toBe(true);
    const after = await history(one.http, id);
    expect(after).toMatchObject([
      before[0]!,
      { id: messageIdOf(first.chunks), role: 'assistant', parts: [{ text: textOf(second.chunks) }] },
    ]);
  });

  it('a chat without a running answer has nothing to resume, and a chat that does not exist has no messages', async () => {
    const id = `chat-${randomUUID()}`;
    expect((await get(`${chatOf(one.http, id)}/stream`)).status).toBe(204);
    expect(await history(one.http, id)).toEqual([]);
    await readChunks(`${one.http}/api/chat`, question(id, 'hello'));
    expect((await get(`${chatOf(two.http, id)}/stream`)).status).toBe(204);
    expect((await get(`${chatOf(two.http, randomUUID())}/stream`)).status).toBe(204);
  });

  it('a stop on the other instance ends a resumed stream, and a second stop changes nothing', async () => {
    const id = `chat-${randomUUID()}`;
    await readChunks(`${one.http}/api/chat`, question(id, LONG), hasText);
    const resumed = resume(two.http, id);
    const stop = (http: string) => post(`${chatOf(http, id)}/stop`, {});
    const stopped = await stop(two.http);
    expect(stopped).toMatchObject({ status: 200, body: { state: 'cancelled' } });
    const { chunks, isDone } = await resumed;
    expect(chunks.slice(-2)).toMatchObject([{ type: 'abort' }, { type: 'finish' }]);
    expect(isDone).toBe(true);
    expect(await stop(one.http)).toMatchObject({ status: 200, body: { turn_id: null, state: 'idle' } });
  });

  it('a stop of a run tells how its turn ended, however often it is sent', async () => {
    const id = `chat-${randomUUID()}`;
    const first = await readChunks(`${one.http}/api/chat`, question(id, LONG), hasText);
    const stop = (http: string) => post(`${chatOf(http, runOf(first))}/stop`, {});
    expect((await stop(one.http)).body).toMatchObject({ state: 'cancelled' });
    expect((await stop(two.http)).body).toMatchObject({ state: 'cancelled' });
  });

  it('a run resumes at any chunk on the other instance, while it runs and after its end', async () => {
    const id = randomUUID();
    const first = await readChunks(`${one.http}/api/chat`, question(id, SLOW), (seen) => seen.length > 9);
    const rest = await resume(two.http, runOf(first), `?startIndex=${first.chunks.length}`);
    const whole = await resume(one.http, runOf(first), '?startIndex=0');
    expect([...first.chunks, ...rest.chunks]).toEqual(whole.chunks);
    expect(whole.chunks.at(-1)).toMatchObject({ type: 'finish' });
    const tail = await resume(two.http, runOf(first), '?startIndex=-3');
    expect(tail.chunks).toEqual(whole.chunks.slice(-3));
    expect(tail.headers.get('x-workflow-stream-tail-index')).toBe(String(whole.chunks.length - 1));
  });

  it('a repeated question gets the answer of the first one, whole, and the model is asked once', async () => {
    const id = `chat-${randomUUID()}`;
    const body = question(id, SLOW);
    const first = await readChunks(`${one.http}/api/chat`, body, hasText);
    const spent = await promptTokens();
    const again = await readChunks(`${two.http}/api/chat`, body);
    const later = await readChunks(`${one.http}/api/chat`, body);
    expect(later.chunks).toEqual(again.chunks);
    expect(runOf(again)).toBe(runOf(first));
    expect(again.chunks.slice(0, first.chunks.length)).toEqual(first.chunks);
    expect(await promptTokens()).toBe(spent);
    expect(await history(two.http, id)).toHaveLength(2);
  });

  it('a page with the ids of its history repeats its last question without a second answer', async () => {
    const id = `chat-${randomUUID()}`;
    const first = await readChunks(`${one.http}/api/chat`, question(id, 'hello'));
    const [asked] = await history(one.http, id);
    const again = await readChunks(`${two.http}/api/chat`, question(id, 'hello', asked!.id));
    expect(again.chunks).toEqual(first.chunks);
    expect(await history(one.http, id)).toHaveLength(2);
  });

  it('a question under the policy reject is refused while an answer runs', async () => {
    const id = `chat-${randomUUID()}`;
    await readChunks(`${one.http}/api/chat`, question(id, LONG), hasText);
    const reply = await post(`${two.http}/api/chat`, question(id, 'and now?'), {
      'rehydra-policy': 'reject',
    });
    expect(reply.status).toBe(429);
    expect(problemOf(reply).code).toBe('session_busy');
    await post(`${chatOf(one.http, id)}/stop`, {});
  });

  it('a part that is no text gets 400, which names it', async () => {
    const [message] = question('x', 'look').messages;
    const file = { type: 'file', mediaType: 'image/png', url: 'data:image/png;base64,' };
    const messages = [{ ...message, parts: [file] }];
    const reply = await post(`${one.http}/api/chat`, { id: 'x', messages });
    expect(reply.status).toBe(400);
    expect(problemOf(reply).detail).toContain('messages.0.parts.0.type');
  });

  it('an unknown run gets 404', async () => {
    const run = `run_${'0'.repeat(64)}`;
    expect(problemOf(await get(`${chatOf(one.http, run)}/stream`)).code).toBe('session_not_found');
  });

  it('a page of an allowed origin may read the headers of the stream', async () => {
    const origin = one.http;
    const { headers } = await get(`${chatOf(one.http, 'none')}/stream`, { headers: { origin } });
    const exposed = headers.get('access-control-expose-headers') ?? '';
    for (const name of ['x-workflow-run-id', 'x-workflow-stream-tail-index', 'x-vercel-ai-ui-message-stream'])
      expect(exposed).toContain(name);
  });
});

describe('answers that a page asks for again', () => {
  const again = (id: string, messageId: string, text: string, more: object = {}) => ({
    ...question(id, text, messageId),
    trigger: 'regenerate-message',
    ...more,
  });
  const said = (messages: readonly UiMessage[]) => messages.map(({ parts }) => parts[0]?.text);

  it('an answer that is given again, and once more on the other instance, replaces the one before', async () => {
    const id = `chat-${randomUUID()}`;
    const first = await readChunks(`${one.http}/api/chat`, question(id, 'hello', 'q1'));
    const answers = [first];
    for (const http of [one.http, two.http, one.http])
      answers.push(await readChunks(`${http}/api/chat`, again(id, 'q1', 'hello')));
    expect(new Set(answers.map(({ chunks }) => messageIdOf(chunks))).size).toBe(4);
    const messages = await history(two.http, id);
    expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant']);
    expect(messages[1]?.id).toBe(messageIdOf(answers.at(-1)?.chunks ?? []));
  });

  it('an answer is named by its own id, or by that of its question after the page was loaded again', async () => {
    const id = `chat-${randomUUID()}`;
    const first = await readChunks(`${one.http}/api/chat`, question(id, 'one', 'q1'));
    await readChunks(`${one.http}/api/chat`, question(id, 'two', 'q2'));
    const named = { messageId: messageIdOf(first.chunks) };
    await readChunks(`${two.http}/api/chat`, again(id, 'q1', 'one', named));
    expect(said(await history(one.http, id)).filter((_, index) => index % 2 === 0)).toEqual(['one']);
    const [loaded] = await history(one.http, id);
    const stream = await readChunks(`${two.http}/api/chat`, again(id, String(loaded?.id), 'one'));
    expect((await history(one.http, id)).at(-1)?.id).toBe(messageIdOf(stream.chunks));
    expect(await history(one.http, id)).toHaveLength(2);
  });

  it('an edited question replaces the old one and all that came after, and a repeated edit is the same turn', async () => {
    const id = `chat-${randomUUID()}`;
    for (const name of ['q1', 'q2']) await readChunks(`${one.http}/api/chat`, question(id, name, name));
    const edit = (text: string) => ({ ...question(id, text, 'q1'), messageId: 'q1' });
    const first = await readChunks(`${two.http}/api/chat`, edit('better'));
    const repeated = await readChunks(`${one.http}/api/chat`, edit('better'));
    expect(messageIdOf(repeated.chunks)).toBe(messageIdOf(first.chunks));
    expect(textOf(repeated.chunks)).toBe(textOf(first.chunks));
    expect(said(await history(one.http, id))).toEqual(['better', textOf(first.chunks)]);
    const second = await readChunks(`${one.http}/api/chat`, edit('best'));
    expect(said(await history(two.http, id))).toEqual(['best', textOf(second.chunks)]);
  });

  it('an answer of which the chat knows nothing is not given again, and creates no session', async () => {
    const id = randomUUID();
    const refusal = await post(`${one.http}/api/chat`, again(id, 'q1', 'hello'));
    expect(problemOf(refusal).code).toBe('session_not_found');
    expect((await get(`${one.http}/api/session/${id}`)).status).toBe(404);
    await readChunks(`${one.http}/api/chat`, question(id, 'hello', 'q1'));
    expect(problemOf(await post(`${one.http}/api/chat`, again(id, 'other', 'hello'))).code).toBe(
      'unknown_turn',
    );
  });
});
