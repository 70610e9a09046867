import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../../src/simulator/simulator.ts';
import { encode } from '../../../src/simulator/text/tokenizer.ts';

/** The fields of both APIs that the tests read. */
interface Choice {
  readonly delta: { readonly content: string };
  readonly message: { readonly content: string };
  readonly text: string;
  readonly token_ids: number[];
  readonly finish_reason: string | null;
  readonly stop_reason: string | null;
}
interface Answer {
  readonly object: string;
  readonly choices: readonly [Choice];
  readonly prompt_token_ids: number[];
  readonly usage: {
    readonly prompt_tokens: number;
    readonly completion_tokens: number;
    readonly prompt_tokens_details: { readonly cached_tokens: number };
  };
  readonly error: { readonly message: string };
}
interface TokenInfo {
  readonly count: number;
  readonly tokens: number[];
  readonly token_strs: string[];
  readonly prompt: string;
  readonly data: readonly unknown[];
}

const answerOf = async (response: Promise<Response>) => (await (await response).json()) as Answer;
const tokenInfoOf = async (response: Promise<Response>) => (await (await response).json()) as TokenInfo;

let simulator: Simulator;
const extra: Simulator[] = [];

async function start(options: SimulatorOptions): Promise<Simulator> {
  const started = await startSimulator({ tokensPerSecond: 0, ...options });
  extra.push(started);
  return started;
}

beforeAll(async () => {
  simulator = await startSimulator({ tokensPerSecond: 0, tokens: 24 });
});
afterAll(async () => {
  await Promise.all([simulator, ...extra].map((each) => each.close()));
});

const messages = [{ role: 'user', content: 'hello there' }];

function post(
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
  at = simulator,
): Promise<Response> {
  return fetch(at.url.replace('/v1', '') + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

async function chunks(response: Response): Promise<readonly Answer[]> {
  const text = await response.text();
  expect(text.split('\n').every((line) => line === '' || line.startsWith('data: '))).toBe(true);
  const lines = text
    .split('\n\n')
    .filter((line) => line !== '')
    .map((line) => line.slice('data: '.length));
  expect(lines.at(-1)).toBe('[DONE]');
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Answer);
}

const errorOf = async (response: Response) => ({
  status: response.status,
  body: (await response.json()) as Answer,
});

describe('a chat stream', () => {
  test('a chat stream has a role chunk, deltas, a finish and [DONE], with vLLM’s nulls', async () => {
    const response = await post(
      '/v1/chat/completions',
      { messages, stream: true },
      { 'X-Request-Id': 'turn-1' },
    );
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const all = await chunks(response);
    expect(all[0]).toEqual({
      id: 'chatcmpl-turn-1',
      object: 'chat.completion.chunk',
      created: expect.any(Number),
      model: 'rehydra/simulator',
      choices: [{ index: 0, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null }],
      prompt_token_ids: null,
    });
    expect(all[1]!.choices[0]).toEqual({
      index: 0,
      delta: { content: 'You' },
      logprobs: null,
      finish_reason: null,
      token_ids: null,
    });
    expect(all.at(-1)!.choices[0]).toMatchObject({ finish_reason: 'stop', stop_reason: null });
    expect(all.every((chunk) => !('usage' in chunk))).toBe(true);
  });

  test('a chat stream ends with a usage chunk on request, which counts the end token', async () => {
    const body = { messages, stream: true, stream_options: { include_usage: true }, return_token_ids: true };
    const all = await chunks(await post('/v1/chat/completions', body));
    const usage = all.at(-1)!;
    expect(usage.choices).toEqual([]);
    const ids = all.slice(0, -1).flatMap((chunk) => chunk.choices[0].token_ids ?? []);
    expect(usage.usage).toEqual({
      prompt_tokens: all[0]!.prompt_token_ids.length,
      completion_tokens: ids.length,
      total_tokens: all[0]!.prompt_token_ids.length + ids.length,
    });
    const text = all.slice(0, -1).map((chunk) => chunk.choices[0].delta.content ?? '');
    expect(ids).toHaveLength(encode(text.join('')).length + 1);
  });

  test('a chat stream has the same text as the whole answer', async () => {
    const streamed = await chunks(await post('/v1/chat/completions', { messages, stream: true }));
    const whole = await answerOf(post('/v1/chat/completions', { messages }));
    const text = streamed.map((chunk) => chunk.choices[0].delta.content).join('');
    expect(whole.choices[0].message.content).toBe(text);
    expect(whole.object).toBe('chat.completion');
  });

  test('at max_tokens the last token goes out with the finish chunk', async () => {
    const all = await chunks(await post('/v1/chat/completions', { messages, stream: true, max_tokens: 3 }));
    expect(all).toHaveLength(4);
    expect(all.at(-1)!.choices[0]).toMatchObject({ finish_reason: 'length', delta: { content: ': ' } });
  });

  test('a chat stream holds text back for a stop string and leaves the string out', async () => {
    const body = { messages, stream: true, stop: ['hello there'] };
    const all = await chunks(await post('/v1/chat/completions', body));
    const text = all.map((chunk) => chunk.choices[0].delta.content).join('');
    expect(text).toBe('You said: ');
    expect(all.at(-1)!.choices[0].stop_reason).toBe('hello there');
  });

  test('with an interval several tokens share a chunk, but the first goes alone', async () => {
    const body = { messages, stream: true, return_token_ids: true };
    const all = await chunks(await post('/v1/chat/completions', body, { 'x-simulator-fault': 'interval=4' }));
    expect(all.slice(1, 4).map((chunk) => chunk.choices[0].token_ids.length)).toEqual([1, 4, 4]);
  });

  test('an error in the middle of a stream is an event, and [DONE] follows', async () => {
    const all = await chunks(
      await post(
        '/v1/chat/completions',
        { messages, stream: true },
        { 'x-simulator-fault': 'error-after=3' },
      ),
    );
    expect(all).toHaveLength(5);
    expect(all.at(-1)).toEqual({
      error: { message: 'Internal server error', type: 'InternalServerError', param: null, code: 500 },
    });
  });

  test('usage has cached tokens with the setting for it', async () => {
    const at = await start({ promptTokensDetails: true });
    const long = [{ role: 'user', content: 'the patient has a fever and a cough '.repeat(8) }];
    await post('/v1/chat/completions', { messages: long }, {}, at);
    const again = await answerOf(post('/v1/chat/completions', { messages: long }, {}, at));
    expect(again.usage.prompt_tokens_details.cached_tokens).toBeGreaterThan(0);
    expect(again.usage.prompt_tokens_details.cached_tokens % 16).toBe(0);
  });
});

describe('the text API', () => {
  test('the text API continues exactly from prompt ids and generated ids, cut anywhere', async () => {
    const asked = { messages, return_token_ids: true };
    const whole = await answerOf(post('/v1/chat/completions', asked));
    const { token_ids: ids, message } = whole.choices[0];
    for (let cut = 1; cut < ids.length; cut += 1) {
      const prompt = [...whole.prompt_token_ids, ...ids.slice(0, cut)];
      const rest = await answerOf(
        post('/v1/completions', { prompt, max_tokens: 100, return_token_ids: true }),
      );
      expect([...ids.slice(0, cut), ...rest.choices[0].token_ids]).toEqual(ids);
      expect(message.content.endsWith(rest.choices[0].text)).toBe(true);
    }
  });

  test('the text API stops after 16 tokens without max_tokens', async () => {
    const answer = await answerOf(post('/v1/completions', { prompt: 'hello' }));
    expect(answer.object).toBe('text_completion');
    expect(answer.usage.completion_tokens).toBe(16);
    expect(answer.choices[0].finish_reason).toBe('length');
  });
});

describe('refusals', () => {
  test.each([
    ['an unknown model', { messages, model: 'gone' }, 404, 'NotFoundError', 'model'],
    [
      'stream_options without stream',
      { messages, stream_options: {} },
      400,
      'BadRequestError',
      'stream_options',
    ],
    ['both continue flags', { messages, continue_final_message: true }, 400, 'BadRequestError', null],
    ['no messages', {}, 400, 'Bad Request', 'body.messages'],
    ['an empty tool list', { messages, tools: [] }, 400, 'BadRequestError', 'tools'],
    ['max_tokens above the model', { messages, max_tokens: 99_999 }, 400, 'BadRequestError', 'max_tokens'],
    [
      'a fault that does not exist',
      { messages: [{ role: 'user', content: '[[fault:typo]]' }] },
      400,
      'BadRequestError',
      'x-simulator-fault',
    ],
  ])('the simulator refuses %s', async (_name, body, status, type, param) => {
    const refused = await errorOf(await post('/v1/chat/completions', body));
    expect(refused).toMatchObject({ status, body: { error: { type, param, code: status } } });
  });

  test('the simulator refuses a body that its content type does not declare as JSON', async () => {
    const response = await post('/v1/chat/completions', { messages }, { 'content-type': 'text/plain' });
    expect(response.status).toBe(400);
  });

  test('the simulator refuses a body that is not JSON', async () => {
    expect((await post('/v1/chat/completions', '{"messages":')).status).toBe(400);
  });

  test('the simulator refuses a request without its key on /v1 only, with 401 and a bare string', async () => {
    const at = await start({ apiKey: 'secret' });
    const refused = await errorOf(await post('/v1/chat/completions', { messages }, {}, at));
    expect(refused).toEqual({ status: 401, body: { error: 'Unauthorized' } });
    const allowed = await post('/v1/chat/completions', { messages }, { authorization: 'Bearer secret' }, at);
    expect(allowed.status).toBe(200);
    expect((await fetch(`${at.url.replace('/v1', '')}/health`)).status).toBe(200);
  });

  test.each([
    [
      'old',
      /^This model's maximum context length is 64 tokens\. However, you requested \d+ tokens \(\d+ in the messages, 40/,
    ],
    [
      'mid',
      /^You passed 25 input tokens and requested 40 output tokens.*\(parameter=input_tokens, value=25\)$/,
    ],
    [
      'new',
      /^This model's maximum context length is 64 tokens.*at least 25 input tokens.*at least 65 tokens.*value=25\)$/,
    ],
  ] as const)(
    'the simulator refuses a prompt that is too long in the %s wording',
    async (contextErrors, wording) => {
      const at = await start({ maxModelLen: 64, contextErrors });
      const body = { messages: [{ role: 'user', content: 'fever and cough '.repeat(40) }], max_tokens: 40 };
      const { status, body: refusal } = await errorOf(await post('/v1/chat/completions', body, {}, at));
      expect(status).toBe(400);
      expect(refusal.error.message).toMatch(wording);
    },
  );

  test('a full queue refuses with 503, and queued requests get only their headers', async () => {
    const at = await start({ maxConcurrent: 1, maxQueued: 1 });
    const leave = new AbortController();
    const stalled = [{ role: 'user', content: '[[fault:stall-after=1]]' }];
    const open = (body: unknown) =>
      fetch(`${at.url}/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: leave.signal,
      });
    expect((await open({ messages: stalled, stream: true })).status).toBe(200);
    expect((await open({ messages, stream: true })).status).toBe(200);
    expect(at.stats()).toMatchObject({ running: 1, waiting: 1 });
    expect((await open({ messages, stream: true })).status).toBe(503);
    leave.abort();
    await expect.poll(() => at.stats()).toMatchObject({ running: 0, waiting: 0, aborted: 2 });
  });

  test('a fault with times=1 does not affect the second request of the conversation', async () => {
    const once = { messages: [{ role: 'user', content: 'hi [[fault:503,times=1]]' }] };
    expect((await post('/v1/chat/completions', once)).status).toBe(503);
    const second = await post('/v1/chat/completions', once);
    expect(second.status).toBe(200);
    expect(JSON.stringify(await second.json())).toContain('You said: hi.');
  });
});

describe('the other endpoints', () => {
  const get = async (path: string, at = simulator) => await fetch(at.url.replace('/v1', '') + path);

  test('/v1/models gives the context length and an owner that is not vLLM', async () => {
    const list = await tokenInfoOf(get('/v1/models'));
    expect(list.data[0]).toMatchObject({
      id: 'rehydra/simulator',
      owned_by: 'rehydra-simulator',
      max_model_len: 32_768,
    });
  });

  test('/tokenize and /detokenize are inverse', async () => {
    const prompt = 'Fever 38,5 °C – naïve 👩🏽‍⚕️\n\tend ';
    const counted = await tokenInfoOf(post('/tokenize', { prompt, return_token_strs: true }));
    expect(counted.count).toBe(counted.tokens.length);
    expect(counted.token_strs).toHaveLength(counted.count);
    const back = await tokenInfoOf(post('/detokenize', { tokens: counted.tokens }));
    expect(back.prompt).toBe(prompt);
  });

  test('/tokenize counts a chat as the chat endpoint does', async () => {
    const counted = await tokenInfoOf(post('/tokenize', { messages }));
    const answer = await answerOf(post('/v1/chat/completions', { messages }));
    expect(counted.count).toBe(answer.usage.prompt_tokens);
  });

  test('/health turns to 503 on request, and /version and /load answer', async () => {
    const at = await start({});
    expect((await get('/health', at)).status).toBe(200);
    at.setHealthy(false);
    expect((await get('/health', at)).status).toBe(503);
    expect(await (await get('/version', at)).json()).toEqual({ version: expect.any(String) });
    expect(await (await get('/load', at)).json()).toEqual({ server_load: 0 });
    expect((await get('/nowhere', at)).status).toBe(404);
  });

  test('/metrics has vLLM’s names of today, or its old names with the setting for them', async () => {
    await post('/v1/chat/completions', { messages });
    const today = await (await get('/metrics')).text();
    for (const name of [
      'num_requests_running',
      'num_requests_waiting',
      'num_requests_waiting_by_reason',
      'kv_cache_usage_perc',
      'prefix_cache_queries_total',
      'prefix_cache_hits_total',
      'prompt_tokens_total',
      'generation_tokens_total',
      'request_success_total',
      'num_preemptions_total',
    ]) {
      expect(today).toMatch(
        new RegExp(`^vllm:${name}\\{engine="0",model_name="rehydra/simulator".*\\} [\\d.]+$`, 'm'),
      );
    }
    const old = await (await get('/metrics', await start({ oldMetricNames: true }))).text();
    expect(old).toContain('vllm:gpu_cache_usage_perc{');
    expect(old).not.toContain('vllm:kv_cache_usage_perc{');
    expect(old).not.toContain('by_reason');
  });
});

test('two simulators give the same answer', async () => {
  const other = await start({ tokens: 24 });
  const ask = async (at: Simulator) => {
    const answer = await answerOf(post('/v1/chat/completions', { messages, return_token_ids: true }, {}, at));
    return answer.choices[0].token_ids;
  };
  expect(await ask(other)).toEqual(await ask(simulator));
});

test('a client that leaves ends its request, streaming or not', async () => {
  const at = await start({ tokensPerSecond: 5 });
  for (const stream of [true, false]) {
    const leave = new AbortController();
    const before = at.stats().aborted;
    const response = fetch(`${at.url}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ messages, stream }),
      signal: leave.signal,
    }).catch(() => null);
    await expect.poll(() => at.stats().running).toBe(1);
    leave.abort();
    await response;
    await expect.poll(() => at.stats()).toMatchObject({ running: 0, aborted: before + 1 });
  }
});
