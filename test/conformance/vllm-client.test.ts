import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GenerationChunk, GenerationRequest } from '../../src/generation/port.ts';
import { createVllmGenerator } from '../../src/generation/vllm.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/simulator.ts';
import { transport } from '../support/transport.ts';
import { describeVllmClient } from './vllm-client.ts';
import { describeWire } from './vllm-wire.ts';

describe.each(['undici', 'openai'] as const)('over %s', (transport) => {
  let simulator: Simulator;
  beforeAll(async () => {
    simulator = await startSimulator({ tokensPerSecond: 0, tokens: 48 });
  });
  afterAll(async () => {
    await simulator.close();
  });
  const target = () => ({ url: simulator.url, simulator });
  describeVllmClient('the client, against the simulator', target, true, { transport });
  describeWire(transport);
});

describe('templates that spoil a continuation by text', () => {
  const ask = async (options: SimulatorOptions, by: 'ids' | 'text') => {
    const server = await startSimulator({ tokensPerSecond: 0, tokens: 40, ...options });
    const generator = createVllmGenerator({
      baseUrls: [server.url],
      transport,
      timeouts: { firstTokenMs: 5_000, interTokenMs: 5_000, totalMs: 20_000 },
      defaultMaxTokens: 200,
    });
    const run = async (prefix: GenerationRequest['prefix']) => {
      const chunks: GenerationChunk[] = [];
      const request: GenerationRequest = {
        sessionId: 's',
        turnId: 't',
        attempt: 1,
        messages: [{ role: 'user', content: 'Tachycardia and hypotension 🩺 since  today' }],
        prefix,
        options: {},
      };
      await generator.generate(request, (chunk) => chunks.push(chunk), new AbortController().signal);
      return chunks;
    };
    const whole = await run(null);
    const text = whole.map((chunk) => chunk.text).join('');
    let wrong = 0;
    for (let count = 1; count < whole.length; count += 1) {
      const stored = whole.slice(0, count);
      const storedText = stored.map((chunk) => chunk.text).join('');
      const rest = await run({
        text: storedText,
        tokenIds: by === 'ids' ? stored.flatMap((chunk) => chunk.tokenIds ?? []) : null,
        promptTokenIds: by === 'ids' ? (whole[0]?.promptTokenIds ?? null) : null,
      });
      if (storedText + rest.map((chunk) => chunk.text).join('') !== text) wrong += 1;
    }
    await generator.close();
    await server.close();
    return wrong;
  };

  test('a template that trims: continuations by ids and by text are both exact', async () => {
    expect(await ask({ trimContinuation: true }, 'ids')).toBe(0);
    expect(await ask({ trimContinuation: true }, 'text')).toBe(0);
  });

  test('a template that tokenises the text again: continuations by ids are exact, by text only between words', async () => {
    expect(await ask({ retokenise: true }, 'ids')).toBe(0);
    expect(await ask({ retokenise: true }, 'text')).toBeGreaterThan(0);
  });
});
