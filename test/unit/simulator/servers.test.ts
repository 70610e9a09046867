/** The simulator imitates other servers, in their words. */
import { afterEach, describe, expect, test } from 'vitest';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../../src/simulator/simulator.ts';

const open: Simulator[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function start(options: SimulatorOptions): Promise<Simulator> {
  const simulator = await startSimulator({ tokensPerSecond: 0, tokens: 24, ...options });
  open.push(simulator);
  return simulator;
}

function chat({ url }: Simulator, body: object, fault = ''): Promise<Response> {
  const content = `hello there${fault === '' ? '' : ` [[fault:${fault}]]`}`;
  return fetch(`${url}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: [{ role: 'user', content }], ...body }),
  });
}

async function refusal(response: Response): Promise<{ readonly status: number; readonly body: unknown }> {
  return { status: response.status, body: await response.json() };
}

const OURS = { stream: true, session_id: 's', return_token_ids: true, max_tokens: 9, temperature: 0.7 };

describe('a server that refuses fields which vLLM takes', () => {
  test('the simulator refuses fields as SGLang does, without an `error` member', async () => {
    const { status, body } = await refusal(await chat(await start({ refuses: 'sglang' }), OURS));
    expect(status).toBe(400);
    expect(body).toMatchObject({
      object: 'error',
      code: 400,
      message: expect.stringContaining('stream=false'),
    });
  });

  test('the simulator refuses fields as Dynamo does, all in one message', async () => {
    const message = 'Unsupported parameter(s): `session_id`, `return_token_ids`';
    expect(await refusal(await chat(await start({ refuses: 'dynamo' }), OURS))).toEqual({
      status: 400,
      body: { message, type: 'Bad Request', code: 400 },
    });
  });

  test('the simulator refuses fields as transformers does, in `detail`', async () => {
    const detail = "Unexpected keys in the request: {'session_id', 'return_token_ids'}";
    expect(await refusal(await chat(await start({ refuses: 'transformers' }), OURS))).toEqual({
      status: 422,
      body: { detail },
    });
  });

  test('the simulator refuses fields as OpenAI does, one at a time', async () => {
    const simulator = await start({ refuses: 'openai-reasoning' });
    const messageOf = async (body: object) =>
      ((await (await chat(simulator, body)).json()) as { error: { message: string } }).error.message;
    expect(await messageOf(OURS)).toBe('Unrecognized request argument supplied: session_id');
    expect(await messageOf({ max_tokens: 9, temperature: 0.7 })).toContain("Use 'max_completion_tokens'");
    expect(await messageOf({ max_completion_tokens: 9, temperature: 0.7 })).toContain('Only the default (1)');
    expect((await chat(simulator, { max_completion_tokens: 9 })).status).toBe(200);
  });
});

describe('a partial assistant message', () => {
  const partial = {
    messages: [
      { role: 'user', content: 'hello there' },
      { role: 'assistant', content: 'You said: hello' },
    ],
    continue_final_message: true,
    add_generation_prompt: false,
  };
  interface Whole {
    readonly choices: readonly [{ readonly message: { readonly content: string } }];
  }
  const contentOf = async (response: Response) =>
    ((await response.json()) as Whole).choices[0].message.content;

  test('the simulator continues a partial message, or begins the answer again with the setting `ignore`', async () => {
    expect(await contentOf(await chat(await start({}), partial))).toMatch(/^ there/);
    expect(await contentOf(await chat(await start({ continuation: 'ignore' }), partial))).toMatch(
      /^You said: hello/,
    );
  });

  test('the simulator refuses a partial message in the words of transformers', async () => {
    const { status, body } = await refusal(await chat(await start({ continuation: 'refuse' }), partial));
    expect(status).toBe(400);
    expect(JSON.stringify(body)).toContain('the final message does not appear in the chat after applying');
  });

  test('the simulator sends the continuation of a partial message as reasoning, without text', async () => {
    const simulator = await start({ continuation: 'reason' });
    const text = await (await chat(simulator, { ...partial, stream: true })).text();
    const deltas = [...text.matchAll(/"delta":(\{[^}]*\})/g)].map(([, delta]) => JSON.parse(delta ?? '{}'));
    expect(deltas.map(({ reasoning = '' }) => reasoning).join('')).toMatch(/^ there/);
    expect(deltas.map(({ content = '' }) => content).join('')).toBe('');
    expect(text).toContain('"finish_reason":"stop"');
  });
});

describe('an overloaded server', () => {
  test.each([
    ['429,retry-after=2', 429],
    ['503,retry-after=2', 503],
  ])('an overloaded server names the seconds to wait (%s)', async (fault, status) => {
    const response = await chat(await start({}), {}, fault);
    expect([response.status, response.headers.get('retry-after')]).toEqual([status, '2']);
  });

  test('an overloaded server names the date until which to wait', async () => {
    const response = await chat(await start({}), {}, '429,retry-after=date');
    expect(Date.parse(response.headers.get('retry-after') ?? '')).toBeGreaterThan(Date.now() - 1_000);
  });
});

describe('the list of models', () => {
  const cardsOf = async ({ url }: Simulator) =>
    ((await (await fetch(`${url}/models`)).json()) as { data: readonly object[] }).data;

  test('the list of models has LoRA adapters without a limit of their own, and the simulator answers as each', async () => {
    const simulator = await start({ model: 'base', loras: ['sql-lora'], maxModelLen: 4_096 });
    expect(await cardsOf(simulator)).toMatchObject([
      { id: 'base', parent: null, max_model_len: 4_096 },
      { id: 'sql-lora', parent: 'base', max_model_len: null },
    ]);
    expect((await chat(simulator, { model: 'sql-lora' })).status).toBe(200);
    expect((await chat(simulator, { model: 'other' })).status).toBe(404);
  });

  test('the Rust front end lists models without a limit, and its error codes are names', async () => {
    const simulator = await start({ rustFrontEnd: true });
    const [card] = await cardsOf(simulator);
    expect(Object.keys(card ?? {}).sort()).toEqual(['created', 'id', 'object', 'owned_by']);
    const { body } = await refusal(await chat(simulator, { max_tokens: 0 }));
    expect(body).toMatchObject({ error: { code: 'invalid_request', type: 'invalid_request_error' } });
  });
});

test('the simulator closes an idle connection after five seconds, as vLLM does', async () => {
  const { url } = await start({});
  const response = await fetch(`${url}/models`);
  expect(response.headers.get('keep-alive')).toBe('timeout=5');
});
