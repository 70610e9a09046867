/** The servers that the simulator can stand in for, and what it says as each of them. */
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
  test('words it as SGLang does, without an `error` member', async () => {
    const { status, body } = await refusal(await chat(await start({ refuses: 'sglang' }), OURS));
    expect(status).toBe(400);
    expect(body).toMatchObject({
      object: 'error',
      code: 400,
      message: expect.stringContaining('stream=false'),
    });
  });

  test('words it as Dynamo does, with all of them', async () => {
    const message = 'Unsupported parameter(s): `session_id`, `return_token_ids`';
    expect(await refusal(await chat(await start({ refuses: 'dynamo' }), OURS))).toEqual({
      status: 400,
      body: { message, type: 'Bad Request', code: 400 },
    });
  });

  test('words it as transformers does, in `detail`', async () => {
    const detail = "Unexpected keys in the request: {'session_id', 'return_token_ids'}";
    expect(await refusal(await chat(await start({ refuses: 'transformers' }), OURS))).toEqual({
      status: 422,
      body: { detail },
    });
  });

  test('words it as OpenAI does, one at a time', async () => {
    const simulator = await start({ refuses: 'openai-reasoning' });
    const messageOf = async (body: object) =>
      ((await (await chat(simulator, body)).json()) as { error: { message: string } }).error.message;
    expect(await messageOf(OURS)).toBe('Unrecognized request argument supplied: session_id');
    expect(await messageOf({ max_tokens: 9, temperature: 0.7 })).toContain("Use 'max_completion_tokens'");
    expect(await messageOf({ max_completion_tokens: 9, temperature: 0.7 })).toContain('Only the default (1)');
    expect((await chat(simulator, { max_completion_tokens: 9 })).status).toBe(200);
  });
});

describe('what becomes of a partial assistant message', () => {
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

  test('it is continued, or the answer begins again where that is asked for', async () => {
    expect(await contentOf(await chat(await start({}), partial))).toMatch(/^ there/);
    expect(await contentOf(await chat(await start({ continuation: 'ignore' }), partial))).toMatch(
      /^You said: hello/,
    );
  });

  test('it is refused in the words of transformers', async () => {
    const { status, body } = await refusal(await chat(await start({ continuation: 'refuse' }), partial));
    expect(status).toBe(400);
    expect(JSON.stringify(body)).toContain('the final message does not appear in the chat after applying');
  });

  test('all that follows comes as reasoning, and no text', async () => {
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
  ])('says how many seconds to wait (%s)', async (fault, status) => {
    const response = await chat(await start({}), {}, fault);
    expect([response.status, response.headers.get('retry-after')]).toEqual([status, '2']);
  });

  test('says until when to wait', async () => {
    const response = await chat(await start({}), {}, '429,retry-after=date');
    expect(Date.parse(response.headers.get('retry-after') ?? '')).toBeGreaterThan(Date.now() - 1_000);
  });
});

describe('the list of models', () => {
  const cardsOf = async ({ url }: Simulator) =>
    ((await (await fetch(`${url}/models`)).json()) as { data: readonly object[] }).data;

  test('has LoRA adapters, whose limit is that of their parent, and answers as each', async () => {
    const simulator = await start({ model: 'base', loras: ['sql-lora'], maxModelLen: 4_096 });
    expect(await cardsOf(simulator)).toMatchObject([
      { id: 'base', parent: null, max_model_len: 4_096 },
      { id: 'sql-lora', parent: 'base', max_model_len: null },
    ]);
    expect((await chat(simulator, { model: 'sql-lora' })).status).toBe(200);
    expect((await chat(simulator, { model: 'other' })).status).toBe(404);
  });

  test('has no limit behind the Rust front end, whose errors have names for codes', async () => {
    const simulator = await start({ rustFrontEnd: true });
    const [card] = await cardsOf(simulator);
    expect(Object.keys(card ?? {}).sort()).toEqual(['created', 'id', 'object', 'owned_by']);
    const { body } = await refusal(await chat(simulator, { max_tokens: 0 }));
    expect(body).toMatchObject({ error: { code: 'invalid_request', type: 'invalid_request_error' } });
  });
});

test('an idle connection is closed after five seconds, as by vLLM', async () => {
  const { url } = await start({});
  const response = await fetch(`${url}/models`);
  expect(response.headers.get('keep-alive')).toBe('timeout=5');
});
