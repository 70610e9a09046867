import { describe, expect, test } from 'vitest';
import { contextLimitOf, isContextLengthError } from '../../../src/generation/upstream/context-length.ts';
import { refusalInStream, refusalOfResponse } from '../../../src/generation/upstream/refusal.ts';
import { contextTooLong, maxTokensTooLarge } from '../../../src/simulator/protocol/context-errors.ts';

const overrun = { maxModelLen: 8192, promptTokens: 8000, outputTokens: 500 };
const read = (body: unknown, status = 400) =>
  refusalOfResponse(status, typeof body === 'string' ? body : JSON.stringify(body), new Headers());
const said = (message: string, status = 400) => read({ error: { message, code: status } }, status);

/** The words of common servers, with the window that they name. */
const WORDS: readonly (readonly [string, string, number | null])[] = [
  [
    'vLLM, old',
    "This model's maximum context length is 4096 tokens. However, you requested 4472 tokens (376 in the messages, " +
      '4096 in the completion). Please reduce the length of the messages or completion.',
    4096,
  ],
  [
    'vLLM, characters',
    "This model's maximum context length is 4096 tokens. However, you requested 500 output tokens and your prompt " +
      'contains 90000 characters (more than 36000 characters, which is the upper bound for 3596 input tokens).',
    4096,
  ],
  [
    'vLLM 0.16, output',
    'max_tokens=5000cannot be greater than max_model_len=max_total_tokens=4096. Please request fewer output tokens.',
    4096,
  ],
  ['vLLM 0.20, output', 'max_tokens=5000 cannot be greater than max_model_len=max_total_tokens=4096.', 4096],
  ['vLLM, output', 'max_completion_tokens=131072 cannot be greater than max_model_len=128,000', 128_000],
  ['vLLM, total', 'max_tokens=8192 cannot be greater than max_total_tokens=4096', 4096],
  [
    'vLLM V1, prompt',
    'The decoder prompt (length 5000) is longer than the maximum model length of 4096. Make sure that `max_model_len` ' +
      'is no smaller than the number of text tokens.',
    4096,
  ],
  ['vLLM, detail', 'The prompt is too long: 5000, model maximum context length: 4096', 4096],
  ['SGLang', "The input (5000 tokens) is longer than the model's context length (4096 tokens).", 4096],
  [
    'SGLang, total',
    "Requested token count exceeds the model's maximum context length of 4096 tokens. You requested a total of 5000 " +
      'tokens: 4000 tokens from the input messages and 1000 tokens for the completion.',
    4096,
  ],
  ['a gateway', "Input length (265330) exceeds model's maximum context length (262144).", 262_144],
  ['llama.cpp', 'the request exceeds the available context size, try increasing it', null],
  [
    'llama.cpp, new',
    'request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it',
    4096,
  ],
  [
    'TGI',
    'Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4000 `inputs` tokens and 500 ' +
      '`max_new_tokens`',
    4096,
  ],
  ['TGI, input', 'Input validation error: `inputs` must have less than 1024 tokens. Given: 2000', 1024],
  ['transformers', 'Input length of input_ids is 5000, but `max_length` is set to 4096.', 4096],
  ['Mistral', 'Prompt contains 40000 tokens, too large for model with 32768 maximum context length', 32_768],
  ['TensorRT-LLM', 'Prompt length (5056) exceeds maximum sequence length (2048)', 2048],
  ['OpenAI', 'Your input exceeds the context window of this model. Please adjust your input.', null],
  ['LM Studio', 'The number of tokens to keep is greater than the context length.', null],
];

describe('a conversation that is too long', () => {
  test.each(['old', 'mid', 'new'] as const)(
    'a conversation that is too long is recognised in vLLM’s %s wording, by its words alone',
    (wording) => {
      const refusal = { ...read(contextTooLong(wording, overrun).body), param: null };
      expect(isContextLengthError(refusal)).toBe(true);
      expect(contextLimitOf(refusal)).toBe(8192);
    },
  );

  test('a conversation that is too long is recognised in a refusal of max_tokens', () => {
    const refusal = { ...read(maxTokensTooLarge(9000, 8192).body), param: null };
    expect(isContextLengthError(refusal)).toBe(true);
    expect(contextLimitOf(refusal)).toBe(8192);
  });

  test.each(WORDS)(
    'a conversation that is too long is recognised in the words of %s, with the window if they name it',
    (_name, words, limit) => {
      for (const body of [
        { error: { message: words, type: 'BadRequestError', code: 400 } },
        { object: 'error', message: words, type: 'BadRequestError', param: null, code: 400 },
        { error: words, error_type: 'validation' },
        { detail: words },
        { detail: [{ loc: ['body'], msg: words }] },
        [{ error: { message: words, code: 400 } }],
        words,
      ]) {
        for (const status of [400, 413, 422]) {
          expect(isContextLengthError(read(body, status))).toBe(true);
          expect(contextLimitOf(read(body, status))).toBe(limit);
        }
      }
      const inStream = refusalInStream({ object: 'error', message: words, code: 400 });
      expect(inStream === null ? null : [isContextLengthError(inStream), contextLimitOf(inStream)]).toEqual([
        true,
        limit,
      ]);
    },
  );

  test('a conversation that is too long is recognised by the error’s name, whatever its words', () => {
    const llama = { code: 400, message: 'x', type: 'exceed_context_size_error', n_ctx: 4096 };
    expect(isContextLengthError(read({ error: llama }))).toBe(true);
    expect(contextLimitOf(read({ error: llama }))).toBe(4096);
    const openai = { message: 'x', type: 'invalid_request_error', code: 'context_length_exceeded' };
    expect(isContextLengthError(read({ error: openai }))).toBe(true);
    expect(contextLimitOf(read({ error: openai }))).toBeNull();
  });

  test('a conversation that is too long is recognised by the error’s parameter, whatever its words', () => {
    const body = { error: { message: 'Too much.', param: 'input_tokens' } };
    expect(isContextLengthError(read(body))).toBe(true);
    expect(isContextLengthError(read(body, 413))).toBe(true);
  });

  test('a conversation that is too long is recognised in an error event without a status', () => {
    const refusal = refusalInStream(contextTooLong('new', overrun).body);
    expect(refusal !== null && isContextLengthError({ ...refusal, status: null })).toBe(true);
  });

  test.each([
    ['another refusal', said('temperature must be non-negative')],
    ['a server error that mentions it', said('maximum context length is 5', 500)],
    ['a user’s question about it', said('value: "what is your context length?"')],
    ['a refusal without a body', read('')],
  ])('a conversation that is too long is not seen in %s', (_name, refusal) => {
    expect(isContextLengthError(refusal)).toBe(false);
    if (refusal.status === 400) expect(contextLimitOf(refusal)).toBeNull();
  });
});

describe('a refusal', () => {
  test('the status of a refusal in a stream is a number or digits, never a name', () => {
    expect(refusalInStream({ error: { message: 'x', code: 503 } })).toMatchObject({ status: 503 });
    expect(refusalInStream({ error: { message: 'x', code: '400', type: 'bad' } })).toMatchObject({
      status: 400,
      names: ['400', 'bad'],
    });
    expect(refusalInStream({ error: { message: 'x', code: 'rate_limit' } })).toMatchObject({ status: null });
    expect(refusalInStream({ error: 'x' })).toMatchObject({ status: null, message: 'x' });
  });

  test('a part of an answer is no refusal', () => {
    for (const value of [
      { choices: [], error: null },
      { choices: [] },
      {},
      null,
      'error',
      5,
      [],
      { usage: {} },
    ])
      expect(refusalInStream(value)).toBeNull();
  });

  test('the wait in a refusal can be seconds, milliseconds or a date', () => {
    const wait = (headers: Record<string, string>) =>
      refusalOfResponse(429, '', new Headers(headers)).retryAfterMs;
    expect(wait({ 'retry-after': '2' })).toBe(2_000);
    expect(wait({ 'retry-after': '0' })).toBe(0);
    expect(wait({ 'retry-after-ms': '150', 'retry-after': '2' })).toBe(150);
    expect(wait({ 'retry-after': 'soon' })).toBeNull();
    expect(wait({})).toBeNull();
    expect(wait({ 'retry-after': new Date(0).toUTCString() })).toBe(0);
    expect(wait({ 'retry-after': new Date(Date.now() + 60_000).toUTCString() })).toBeGreaterThan(30_000);
  });
});
