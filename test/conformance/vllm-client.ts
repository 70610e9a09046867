/**
 * Checks the promises of the vLLM client against a server. This part holds for every vLLM (temperature 0);
 * vllm-faults.ts needs faults, so only the simulator runs it.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Generator } from '../../src/generation/port.ts';
import type { TransportName } from '../../src/generation/upstream/transport.ts';
import type { GenerationTimeouts } from '../../src/generation/upstream/watchdog.ts';
import type { VllmOptions } from '../../src/generation/vllm.ts';
import { createVllmGenerator } from '../../src/generation/vllm.ts';
import type { Simulator } from '../../src/simulator/simulator.ts';
import { transport as transportOfTests } from '../support/transport.ts';
import { describeWithFaults } from './vllm-faults.ts';
import { hear, PATIENT, storedAfter, type Target, wholeText } from './vllm-listening.ts';

/** The differences between servers: the suite tests only promises that the server can keep. */
export interface ClientFeatures {
  readonly ids: boolean;
  readonly detokenize: boolean;
  readonly refusesUnknownModel: boolean;
  readonly refusesManyTokens: boolean;
}

export interface ClientTerms {
  readonly features?: ClientFeatures;
  readonly timeouts?: GenerationTimeouts;
  readonly transport?: TransportName;
  /** Whether the test can cause faults, which needs a simulator in this process. */
  readonly faults?: boolean;
}

const PATIENCE: GenerationTimeouts = { firstTokenMs: 10_000, interTokenMs: 5_000, totalMs: 30_000 };
const ALL: ClientFeatures = {
  ids: true,
  detokenize: true,
  refusesUnknownModel: true,
  refusesManyTokens: true,
};

export function describeVllmClient(
  name: string,
  getTarget: () => Target,
  onSimulator: boolean,
  {
    features = ALL,
    timeouts = PATIENCE,
    transport = transportOfTests,
    faults = onSimulator,
  }: ClientTerms = {},
): void {
  describe(name, () => {
    let generator: Generator;
    const others: Generator[] = [];

    function make(more: Partial<VllmOptions> = {}): Generator {
      const { url, apiKey } = getTarget();
      const made = createVllmGenerator({
        baseUrls: [url],
        transport,
        ...(apiKey === undefined ? {} : { apiKey }),
        timeouts,
        defaultMaxTokens: 200,
        ...more,
      });
      others.push(made);
      return made;
    }

    beforeAll(() => {
      generator = make();
    });
    afterAll(async () => {
      await Promise.all(others.map((each) => each.close()));
    });

    test('a completed answer reports its text, its usage and its replica', async () => {
      const { result, text, chunks } = await hear(generator);
      if (result.kind !== 'completed') throw new Error(JSON.stringify(result));
      expect(text).not.toBe('');
      expect(result.replica).toBe(new URL(getTarget().url).host);
      expect(result.model).not.toBe('');
      expect(result.simulated).toBe(onSimulator);
      expect(result.firstTokenMs).not.toBeNull();
      expect(result).toMatchObject({ temperature: 0, maxTokens: 200 });
      if (features.ids) expect(result.usage.prompt_tokens).toBe(chunks[0]?.promptTokenIds?.length);
      expect(result.usage.prompt_tokens).toBeGreaterThan(0);
      expect(result.usage.completion_tokens).toBeGreaterThanOrEqual(chunks.length - 1);
    });

    test('the streamed text equals the text of the answer without a stream', async () => {
      const { text, result } = await hear(generator);
      const model = result.kind === 'completed' ? result.model : '';
      expect(text).toBe(await wholeText(getTarget(), PATIENT, model));
    });

    test('max_tokens ends the answer as "length"', async () => {
      const { result } = await hear(generator, { options: { maxTokens: 5 } });
      expect(result).toMatchObject({
        kind: 'completed',
        finishReason: 'length',
        usage: { completion_tokens: 5 },
      });
    });

    test.skipIf(!(features.ids && features.detokenize))(
      'the token ids stand for exactly the text',
      async () => {
        const { chunks } = await hear(generator, { options: { maxTokens: 40 } });
        const stored = storedAfter(chunks, chunks.length);
        const response = await fetch(`${getTarget().url.replace(/\/v1$/, '')}/detokenize`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ tokens: stored.tokenIds }),
        });
        expect(await response.json()).toEqual({ prompt: stored.text });
      },
    );

    test('an answer with stop strings has no token ids, because ids run ahead of the text', async () => {
      const { chunks } = await hear(generator, { options: { stop: ['\n\n\n\n', 'qqq'], maxTokens: 20 } });
      expect(chunks.length).toBeGreaterThan(0);
      expect(
        chunks.every((chunk) => chunk.tokenIds === undefined && chunk.promptTokenIds === undefined),
      ).toBe(true);
    });

    test.skipIf(!features.ids)('an answer whose every token is stored completes without a call', async () => {
      const { chunks } = await hear(generator, { options: { maxTokens: 6 } });
      const before = getTarget().simulator?.stats().requests;
      const { result, text } = await hear(generator, {
        prefix: storedAfter(chunks, chunks.length),
        options: { maxTokens: 6 },
      });
      expect(text).toBe('');
      expect(result).toMatchObject({
        kind: 'completed',
        finishReason: 'length',
        usage: { completion_tokens: 6 },
      });
      expect(getTarget().simulator?.stats().requests).toBe(before);
    });

    test('an abort settles as aborted, and no chunk follows', async () => {
      const leave = new AbortController();
      const { result, chunks, lateChunks } = await hear(generator, {
        signal: leave.signal,
        onChunk: () => leave.abort(),
      });
      expect(result).toEqual({ kind: 'aborted' });
      expect(chunks).toHaveLength(1);
      expect(lateChunks()).toBe(0);
    });

    test('a signal that has fired already prevents the call', async () => {
      expect((await hear(generator, { signal: AbortSignal.abort() })).result).toEqual({ kind: 'aborted' });
    });

    test.skipIf(!features.refusesUnknownModel)('a missing model fails as model_not_found', async () => {
      const { result } = await hear(make({ model: 'no/such-model' }));
      expect(result).toMatchObject({ kind: 'failed', code: 'model_not_found', retryable: false });
    });

    test.skipIf(!features.refusesManyTokens)(
      'a max_tokens above the window fails as context_length_exceeded',
      async () => {
        const { result } = await hear(generator, { options: { maxTokens: 100_000_000 } });
        expect(result).toMatchObject({ kind: 'failed', code: 'context_length_exceeded', retryable: false });
      },
    );

    test('a bug in the listener is thrown, and does not count as a failure of the server', async () => {
      const bug = new TypeError('a bug in the listener');
      const onChunk = (): never => {
        throw bug;
      };
      await expect(hear(generator, { onChunk })).rejects.toBe(bug);
    });

    test('an unreachable server is unavailable, and the turn can retry', async () => {
      const { result } = await hear(make({ baseUrls: ['http://127.0.0.1:9/v1'], model: 'x' }));
      expect(result).toMatchObject({
        kind: 'failed',
        code: 'upstream_unavailable',
        retryable: true,
        replica: '127.0.0.1:9',
      });
    });

    test('close settles every running generation', async () => {
      const closing = make();
      const begun = hear(closing, { onChunk: () => void closing.close() });
      expect((await begun).result).toEqual({ kind: 'aborted' });
      expect((await hear(closing)).result).toEqual({ kind: 'aborted' });
    });

    if (faults) {
      const watched = (): Simulator => {
        const { simulator } = getTarget();
        if (simulator === undefined) throw new Error('faults need the simulator');
        return simulator;
      };
      describeWithFaults(() => generator, make, watched);
    }
  });
}
