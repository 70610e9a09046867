import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createModelLimits } from '../../../src/conversation/tokens/model-limits.ts';
import { estimatePrompt } from '../../../src/conversation/tokens/token-counter.ts';
import { createTokenizeClient } from '../../../src/conversation/tokens/tokenize-client.ts';
import { createTokenizer } from '../../../src/conversation/tokens/tokenizer.ts';
import type { Message } from '../../../src/generation/port.ts';
import { startSimulator } from '../../../src/simulator/simulator.ts';

interface Stub {
  readonly url: string;
  readonly asked: { readonly path: string; readonly body: string; readonly authorization?: string }[];
}

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

async function stub(
  answer: (path: string, body: string) => { status: number; body?: unknown },
): Promise<Stub> {
  const asked: Stub['asked'] = [];
  const server = createServer((req, res) => {
    const parts: Buffer[] = [];
    req.on('data', (part: Buffer) => parts.push(part));
    req.on('end', () => {
      const body = Buffer.concat(parts).toString();
      const { authorization } = req.headers;
      asked.push({ path: req.url ?? '', body, ...(authorization === undefined ? {} : { authorization }) });
      const { status, body: answerBody } = answer(req.url ?? '', body);
      res
        .writeHead(status)
        .end(typeof answerBody === 'string' ? answerBody : JSON.stringify(answerBody ?? {}));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  );
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, asked };
}

async function simulator() {
  const started = await startSimulator({ maxModelLen: 4_096, model: 'm', apiKey: 'key' });
  closers.push(() => started.close());
  return started;
}

const CONVERSATION: readonly Message[] = [
  { role: 'system', content: 'Be careful.' },
  { role: 'user', content: 'chest pain 🩺' },
  { role: 'assistant', content: 'Take an ECG.' },
  { role: 'user', content: 'and now?' },
];

describe('counting with the server', () => {
  test('the costs of the messages and the overhead add up to the whole prompt', async () => {
    const { url } = await simulator();
    const counter = createTokenizer(createTokenizeClient({ baseUrls: [url] })).counterFor('m');
    const costs = await counter.costs(CONVERSATION);
    const sum = costs.reduce((total, cost) => total + cost, await counter.overhead());
    expect(await counter.whole(CONVERSATION)).toBe(sum);
    expect(counter.by).toBe('tokenizer');
  });

  test('a message is counted once, however many turns it is in the window', async () => {
    const server = await stub(() => ({ status: 200, body: { count: 7 } }));
    const tokenizer = createTokenizer(createTokenizeClient({ baseUrls: [server.url], apiKey: 'k' }));
    await tokenizer.counterFor('m').costs(CONVERSATION);
    const before = server.asked.length;
    await tokenizer.counterFor('m').costs(CONVERSATION);
    expect(server.asked.length).toBe(before);
    await tokenizer.counterFor('another model').costs(CONVERSATION.slice(0, 1));
    expect(server.asked.length).toBeGreaterThan(before);
    expect(server.asked[0]).toMatchObject({ path: '/tokenize', authorization: 'Bearer k' });
    expect(JSON.parse(server.asked[0]?.body ?? '')).toMatchObject({
      model: 'm',
      add_generation_prompt: true,
    });
  });

  test('every message is counted as a user’s, because some templates refuse other single roles', async () => {
    const strict = await stub((_path, body) => {
      const { messages } = JSON.parse(body) as { messages: Message[] };
      const fine =
        messages[0]?.role === 'user' && messages.every((m, at) => m.role === ['user', 'assistant'][at % 2]);
      return fine ? { status: 200, body: { count: 10 * messages.length } } : { status: 400 };
    });
    const counter = createTokenizer(createTokenizeClient({ baseUrls: [strict.url] })).counterFor('m');
    await counter.costs(CONVERSATION);
    expect(counter.by).toBe('tokenizer');
    expect(await counter.whole(CONVERSATION)).toBe(estimatePrompt(CONVERSATION)); // the template refuses system messages
    expect(counter.by).toBe('estimate');
  });
});

describe('where the server cannot count', () => {
  test('a missing /tokenize is asked once, not once per turn', async () => {
    const server = await stub(() => ({ status: 404 }));
    const tokenizer = createTokenizer(createTokenizeClient({ baseUrls: [server.url] }));
    for (let turn = 0; turn < 20; turn += 1) {
      const counter = tokenizer.counterFor('m');
      expect(await counter.whole(CONVERSATION)).toBe(estimatePrompt(CONVERSATION));
      expect(counter.by).toBe('estimate');
    }
    expect(server.asked).toHaveLength(1);
  });

  test('a /tokenize that a deployment adds later is found after ten minutes', async () => {
    let nowMs = 0;
    let status = 404;
    const server = await stub(() => ({ status, body: { count: 5 } }));
    const tokenizer = createTokenizer(createTokenizeClient({ baseUrls: [server.url], nowMs: () => nowMs }));
    await tokenizer.counterFor('m').whole(CONVERSATION);
    status = 200;
    expect(await tokenizer.counterFor('m').whole(CONVERSATION)).toBe(estimatePrompt(CONVERSATION));
    nowMs = 3_600_000;
    expect(await tokenizer.counterFor('m').whole(CONVERSATION)).toBe(5);
  });

  test('one prompt waits for one failed count, not for one per message', async () => {
    const server = await stub(() => ({ status: 500 }));
    const counter = createTokenizer(createTokenizeClient({ baseUrls: [server.url] })).counterFor('m');
    await counter.costs(Array.from({ length: 50 }, (_, at) => ({ role: 'user', content: `${at}` })));
    expect(server.asked).toHaveLength(1);
  });

  test('a /tokenize that keeps failing gets no requests for a while, then one trial', async () => {
    let nowMs = 0;
    const server = await stub(() => ({ status: 503 }));
    const tokenizer = createTokenizer(createTokenizeClient({ baseUrls: [server.url], nowMs: () => nowMs }));
    for (let turn = 0; turn < 20; turn += 1) await tokenizer.counterFor('m').whole(CONVERSATION);
    expect(server.asked).toHaveLength(3);
    nowMs = 60_000;
    await tokenizer.counterFor('m').whole(CONVERSATION);
    expect(server.asked).toHaveLength(4);
  });

  test.each([
    ['nonsense', { status: 200, body: 'no json' }],
    ['no count', { status: 200, body: { count: 'many' } }],
    ['null', { status: 200, body: 'null' }],
    ['a redirect', { status: 302 }],
  ])('%s from /tokenize is no count', async (_name, answer) => {
    const server = await stub(() => answer);
    const counter = createTokenizer(createTokenizeClient({ baseUrls: [server.url] })).counterFor('m');
    expect(await counter.whole(CONVERSATION)).toBe(estimatePrompt(CONVERSATION));
  });

  test('another replica counts if the first cannot', async () => {
    const { url } = await simulator();
    const dead = 'http://127.0.0.1:1/v1';
    const counter = createTokenizer(createTokenizeClient({ baseUrls: [dead, url] })).counterFor('m');
    await counter.whole(CONVERSATION);
    expect(counter.by).toBe('tokenizer');
  });
});

describe('how much the model can read', () => {
  test('the model’s window comes from /v1/models, with one request', async () => {
    const { url } = await simulator();
    const limits = createModelLimits({ baseUrls: [url], apiKey: 'key' });
    expect(await limits.current()).toEqual({ model: 'm', maxModelLen: 4_096 });
    const small = await stub(() => ({ status: 200, body: { data: [{ id: 'm', max_model_len: 1_000 }] } }));
    const both = createModelLimits({ baseUrls: [url, small.url], apiKey: 'key', model: 'm' });
    expect(await both.current()).toEqual({ model: 'm', maxModelLen: 1_000 });
    await Promise.all([both.current(), both.current()]);
    expect(small.asked).toHaveLength(1);
    both.forget();
    await both.current();
    expect(small.asked).toHaveLength(2);
  });

  test('the window of a LoRA adapter is that of its base model', async () => {
    const data = [
      { id: 'base', parent: null, max_model_len: 4_096 },
      { id: 'other', parent: null, max_model_len: 100 },
      { id: 'sql-lora', parent: 'base', max_model_len: null },
    ];
    const server = await stub(() => ({ status: 200, body: { data } }));
    const limits = createModelLimits({ baseUrls: [server.url], model: 'sql-lora' });
    expect(await limits.current()).toEqual({ model: 'sql-lora', maxModelLen: 4_096 });
  });

  test('the model’s window comes from a refusal if the list has none', async () => {
    const server = await stub(() => ({ status: 200, body: { data: [{ id: 'm' }] } }));
    const limits = createModelLimits({ baseUrls: [server.url] });
    expect((await limits.current()).maxModelLen).toBeNull();
    limits.forget(2_048);
    expect(await limits.current()).toEqual({ model: 'm', maxModelLen: 2_048 });
    limits.forget();
    expect((await limits.current()).maxModelLen).toBe(2_048);
  });

  test('the window of llama.cpp comes from the metadata of its model card', async () => {
    const data = [{ id: 'gemma', meta: { n_ctx: 2_048, n_ctx_train: 32_768 } }];
    const server = await stub(() => ({ status: 200, body: { data } }));
    const limits = createModelLimits({ baseUrls: [server.url] });
    expect(await limits.current()).toEqual({ model: 'gemma', maxModelLen: 2_048 });
  });

  test.each([
    ['a LoRA adapter whose base model is not listed', [{ id: 'm', parent: 'gone', max_model_len: null }]],
    ['a window that is no number', [{ id: 'm', meta: { n_ctx: 'large' } }]],
    ['a card without any limit, as of the Rust front end', [{ id: 'm', object: 'model', created: 1 }]],
  ])('the model’s window is unknown if the server lists %s', async (_name, data) => {
    const server = await stub(() => ({ status: 200, body: { data } }));
    expect((await createModelLimits({ baseUrls: [server.url] }).current()).maxModelLen).toBeNull();
  });

  test.each([
    ['no list', { status: 404 }],
    ['an empty one', { status: 200, body: { data: [] } }],
    ['nonsense', { status: 200, body: 'null' }],
    ['a model without a limit', { status: 200, body: { data: [{ id: 'm' }] } }],
  ])('the model’s window is unknown if the server has %s', async (_name, answer) => {
    const server = await stub(() => answer);
    expect((await createModelLimits({ baseUrls: [server.url] }).current()).maxModelLen).toBeNull();
  });
});
