/** Servers that refuse vLLM's fields: each in its exact words, and through the whole client. */
import { afterEach, describe, expect, test } from 'vitest';
import { type RefusedField, refusedFields } from '../../../src/generation/answer/refused-fields.ts';
import { ReplicaProfile } from '../../../src/generation/answer/server-profile.ts';
import { createVllmGenerator } from '../../../src/generation/vllm.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../../src/simulator/simulator.ts';
import { hear } from '../../conformance/vllm-listening.ts';
import { transport } from '../../support/transport.ts';

const SENT = {
  model: 'm',
  messages: [],
  stream: true,
  stream_options: { include_usage: true, continuous_usage_stats: true },
  temperature: 0.7,
  session_id: 's',
  return_token_ids: true,
  max_tokens: 10,
};

function learned(message: string, more: { status?: number; param?: string; body?: object } = {}) {
  const { status = 400, param = null, body = SENT } = more;
  const sent = { body: { ...body }, ownsTemperature: false };
  return [...refusedFields({ status, message, param }, sent)].sort();
}

describe('a refusal names fields of ours', () => {
  const extensions: readonly RefusedField[] = ['continuous_usage_stats', 'return_token_ids', 'session_id'];
  test.each([
    [
      'SGLang',
      'return_token_ids is not supported with streaming on /v1/chat/completions. Please set stream=false when using return_token_ids=true.',
      ['return_token_ids'],
    ],
    // OpenAI names one field at a time; a server that does not know one of vLLM's knows none.
    ['OpenAI', 'Unrecognized request argument supplied: session_id', extensions],
    ['OpenAI, later', "Unknown parameter: 'return_token_ids'.", extensions],
    ['NVIDIA Dynamo', 'Unsupported parameter(s): `session_id`, `return_token_ids`', extensions],
    ['transformers 5', "Unexpected fields in the request: {'return_token_ids', 'session_id'}", extensions],
    ['transformers', "Unexpected keys in the request: {'session_id', 'return_token_ids'}", extensions],
    [
      'Mistral',
      '[{"type":"extra_forbidden","loc":["body","session_id"],"msg":"Extra inputs are not permitted"}]',
      extensions,
    ],
    [
      'OpenAI, of a model that thinks,',
      "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
      ['max_tokens'],
    ],
    [
      'OpenAI, of its temperature,',
      "Unsupported value: 'temperature' does not support 0.7 with this model. Only the default (1) value is supported.",
      ['temperature'],
    ],
    ['Moonshot', 'invalid temperature: only 1 is allowed for this model', ['temperature']],
    ['OpenAI, of a part', "Unknown parameter: 'stream_options.continuous_usage_stats'.", extensions],
    ['a gateway', 'Unrecognized request argument supplied: stream_options', ['stream_options']],
  ])('a refused field is recognised in the words of %s', (_server, message, fields) => {
    expect(learned(message)).toEqual(fields);
    expect(learned(message, { status: 422 })).toEqual(fields);
  });

  test.each([
    ['a complaint about a value', 'temperature must be non-negative, got -1.', {}],
    ['another one', 'max_tokens must be at least 1, got 0.', {}],
    ['a complaint about messages', "messages: Unexpected role 'patient'", {}],
    [
      'a field that was not sent',
      'return_token_ids is not supported with streaming',
      { body: { model: 'm' } },
    ],
    ['a failure of the server', 'Unsupported parameter(s): `session_id`', { status: 500 }],
  ])('no refused field is read from %s', (_what, message, more) => {
    expect(learned(message, more)).toEqual([]);
  });

  test('a refused temperature stays if the client chose it', () => {
    const message =
      "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported.";
    const sent = { body: SENT, ownsTemperature: true };
    expect(refusedFields({ status: 400, message, param: 'temperature' }, sent).size).toBe(0);
  });
});

describe('what is known of a replica', () => {
  test('a server profile is forgotten after ten minutes', () => {
    let nowMs = 0;
    const profile = new ReplicaProfile(() => nowMs);
    profile.rememberRefused(new Set(['session_id'] as const));
    profile.rememberStartsOver();
    nowMs = 60_000;
    expect(profile.current('vllm')).toEqual({ refused: new Set(['session_id']), continuesText: false });
    nowMs = 3_600_000;
    expect(profile.current('vllm')).toEqual({ refused: new Set(), continuesText: true });
    profile.rememberExtensions();
    expect(profile.takesExtensions).toBe(true);
    nowMs = 7_200_000;
    profile.current('vllm');
    expect(profile.takesExtensions).toBe(false);
  });

  test.each([
    ['vllm', true],
    ['sglang', true],
    ['rehydra-simulator', true],
    ['openai', false],
    ['llamacpp', true],
    [null, false],
  ])('a server with the owner %s continues an answer by text: %s', (owner, continues) => {
    expect(new ReplicaProfile().current(owner).continuesText).toBe(continues);
  });
});

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function against(options: SimulatorOptions) {
  const simulator: Simulator = await startSimulator({ tokensPerSecond: 0, tokens: 24, ...options });
  const generator = createVllmGenerator({
    baseUrls: [simulator.url],
    transport,
    timeouts: { firstTokenMs: 5_000, interTokenMs: 5_000, totalMs: 20_000 },
    defaultMaxTokens: 200,
  });
  open.push(simulator, generator);
  return { simulator, generator };
}

const NOTHING_CHOSEN = { options: null };

describe('the first turn at a server that refuses our fields', () => {
  test.each(['sglang', 'openai', 'openai-reasoning', 'dynamo', 'transformers', 'wordless'] as const)(
    'a server that refuses our fields answers within the first attempt, and the next turn without a refusal (%s)',
    async (refuses) => {
      const { simulator, generator } = await against({ refuses });
      const first = await hear(generator, NOTHING_CHOSEN);
      expect(first.result).toMatchObject({ kind: 'completed', finishReason: 'stop' });
      expect(first.text).toMatch(/^You said/);
      const { refused } = simulator.stats();
      expect(refused).toBeGreaterThan(0);
      expect((await hear(generator, NOTHING_CHOSEN)).result.kind).toBe('completed');
      expect(simulator.stats().refused).toBe(refused);
    },
  );

  test('the result names the server’s own temperature if the server takes none', async () => {
    const { generator } = await against({ refuses: 'openai-reasoning' });
    expect((await hear(generator, NOTHING_CHOSEN)).result).toMatchObject({ temperature: 1, maxTokens: 200 });
  });

  test('a continuation by ids makes a bounded number of requests at a server that refuses our fields', async () => {
    const { simulator, generator } = await against({ refuses: 'openai-reasoning' });
    const prefix = { text: 'You said', tokenIds: [1, 2], promptTokenIds: [9, 8] };
    await hear(generator, { ...NOTHING_CHOSEN, prefix });
    expect(simulator.stats().refused).toBeLessThan(5);
  });

  test('a turn is answered after a turn with stop strings, which asks for no ids', async () => {
    const { generator } = await against({ refuses: 'wordless-ids' });
    expect((await hear(generator, { options: { stop: ['never'] } })).result.kind).toBe('completed');
    expect((await hear(generator, NOTHING_CHOSEN)).result.kind).toBe('completed');
  });

  test('a turn fails if the server refuses a field that the client chose', async () => {
    const { generator } = await against({ refuses: 'openai-reasoning' });
    const { result } = await hear(generator, { options: { temperature: 0.2 } });
    expect(result).toMatchObject({ kind: 'failed', code: 'upstream_rejected' });
  });

  test('a refusal of something else changes no profile and leads to one more request only', async () => {
    const { simulator, generator } = await against({});
    const fault = '400,times=3';
    expect((await hear(generator, { fault })).result).toMatchObject({ code: 'upstream_rejected' });
    expect(simulator.stats().refused).toBe(2);
    const { chunks } = await hear(generator, {});
    expect(chunks[0]?.tokenIds).toBeDefined();
  });

  test('a refusal without a reason ends the attempt at a server that has accepted our fields', async () => {
    const { simulator, generator } = await against({});
    expect((await hear(generator, {})).result.kind).toBe('completed');
    const fault = '400,times=3';
    expect((await hear(generator, { fault })).result).toMatchObject({ code: 'upstream_rejected' });
    expect(simulator.stats().refused).toBe(1);
    expect((await hear(generator, {})).chunks[0]?.tokenIds).toBeDefined();
  });
});
