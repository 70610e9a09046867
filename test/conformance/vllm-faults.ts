/** Checks the promises of the vLLM client that need faults or a view of the upstream side. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import type {
  GenerationChunk,
  GenerationFailureCode,
  GenerationResult,
  Generator,
  Message,
} from '../../src/generation/port.ts';
import type { GenerationTimeouts } from '../../src/generation/upstream/watchdog.ts';
import type { VllmOptions } from '../../src/generation/vllm.ts';
import type { Simulator } from '../../src/simulator/simulator.ts';
import { faulty, hear, PATIENT, storedAfter, wholeText, withoutIds } from './vllm-listening.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

export function describeWithFaults(
  getGenerator: () => Generator,
  make: (more?: Partial<VllmOptions>) => Generator,
  getSimulator: () => Simulator,
): void {
  const idle = () => expect.poll(() => getSimulator().stats().running).toBe(0);

  describe('failures', () => {
    test.each<[string, GenerationFailureCode, boolean, number]>([
      ['truncate-after=5', 'upstream_truncated', true, 5],
      ['reset-after=5', 'upstream_truncated', true, 5],
      ['abort-after=5', 'upstream_aborted', true, 5],
      ['error-after=5', 'upstream_error', true, 5],
      ['bad-json=5', 'upstream_error', true, 5],
      ['finish=error', 'upstream_error', true, -1],
      ['finish=repetition', 'upstream_error', false, -1],
      ['503', 'upstream_unavailable', true, 0],
      ['429', 'upstream_unavailable', true, 0],
      ['502', 'upstream_unavailable', true, 0],
      ['500', 'upstream_error', true, 0],
      ['400', 'upstream_rejected', false, 0],
      ['401', 'upstream_unauthorized', false, 0],
      ['404', 'model_not_found', false, 0],
      ['400-context=old', 'context_length_exceeded', false, 0],
      ['400-context=mid', 'context_length_exceeded', false, 0],
      ['400-context=new', 'context_length_exceeded', false, 0],
      ['400-context=output', 'context_length_exceeded', false, 0],
      ['400-context=sglang', 'context_length_exceeded', false, 0],
      ['400-context=llama.cpp', 'context_length_exceeded', false, 0],
      ['400-context=tgi', 'context_length_exceeded', false, 0],
      ['400-context=openai', 'context_length_exceeded', false, 0],
      ['400-context=old,flat', 'context_length_exceeded', false, 0],
      ['404,flat', 'model_not_found', false, 0],
      ['503,flat', 'upstream_unavailable', true, 0],
      ['tokens=0', 'upstream_empty', true, 0],
      ['reasoning=new,tokens=0', 'upstream_empty', true, -1],
      ['finish=content_filter', 'content_filtered', false, -1],
      ['page', 'upstream_incompatible', false, 0],
    ])('%s fails as %s', async (fault, code, retryable, chunkCount) => {
      const { result, chunks, lateChunks } = await hear(getGenerator(), { fault });
      expect(result).toMatchObject({ kind: 'failed', code, retryable });
      if (chunkCount >= 0) expect(chunks).toHaveLength(chunkCount);
      expect(lateChunks()).toBe(0);
      await idle();
    });

    // One short limit each: on a busy machine two of them would race.
    test.each<[string, GenerationFailureCode, Partial<GenerationTimeouts>]>([
      ['stall-headers', 'first_token_timeout', { firstTokenMs: 300 }],
      ['stall-first', 'first_token_timeout', { firstTokenMs: 300 }],
      ['stall-after=3', 'inter_token_timeout', { interTokenMs: 300 }],
      ['hollow-after=0', 'first_token_timeout', { firstTokenMs: 300 }],
      ['hollow-after=3', 'inter_token_timeout', { interTokenMs: 300 }],
      ['tps=20,tokens=500', 'total_timeout', { totalMs: 900 }],
    ])('%s fails as %s and closes the upstream request', async (fault, code, limit) => {
      const hasty = make({
        timeouts: { firstTokenMs: 15_000, interTokenMs: 15_000, totalMs: 20_000, ...limit },
      });
      const { result } = await hear(hasty, { fault, options: { maxTokens: 1000 } });
      expect(result).toMatchObject({ kind: 'failed', code, retryable: true });
      await idle();
    });

    test('no words of the server reach the session', async () => {
      for (const fault of ['400', '502', 'error-after=1', '400-context=new']) {
        const { result } = await hear(getGenerator(), { fault });
        const message = result.kind === 'failed' ? result.message : '';
        expect(message).not.toMatch(/validation|Bad Gateway|Internal server error|tokens/i);
      }
    });
  });

  describe('odd but valid streams', () => {
    test.each([
      'empty-deltas',
      'interval=4',
      'pause-after=3,pause-ms=50',
      'headers-ms=30,first-token-ms=30',
      'no-ids',
      'lost-ids',
      'line-end=cr',
      'line-end=crlf',
      'comments',
      'last-event=line',
      'last-event=bare',
      'open-after-done',
      'empty-finish',
      'second-choice',
      'text-in=refusal',
      'text-in=parts',
      'text-in=message',
      'content-type=text/plain',
      'whole',
    ])('%s gives the whole text', async (fault) => {
      const odd = await hear(getGenerator(), { fault });
      expect(odd.result).toMatchObject({ kind: 'completed' });
      expect(odd.text).toBe(await wholeText({ url: getSimulator().url }, faulty(PATIENT, fault)));
      expect(odd.chunks.every((chunk) => chunk.text !== '')).toBe(true);
    });

    test.each(['new', 'old'])(
      'reasoning in its %s field is apart from the answer, and its token ids go on',
      async (field) => {
        const { chunks, text } = await hear(getGenerator(), { fault: `reasoning=${field}` });
        expect(chunks.map((chunk) => chunk.reasoning ?? '').join('')).toBe(
          'I should ask about the onset first.',
        );
        expect(text).toMatch(/^You said/);
        // All chunks but the last, which holds the end token.
        expect(chunks.slice(0, -1).every((chunk) => chunk.tokenIds !== undefined)).toBe(true);
      },
    );
  });

  describe('the upstream request', () => {
    test('request headers name the session and the attempt', async () => {
      const { turnId } = await hear(getGenerator());
      const { recent, bySession } = getSimulator().stats();
      expect(recent.at(-1)).toMatchObject({ sessionId: 'session-1' });
      expect(recent.at(-1)?.id).toMatch(new RegExp(`^chatcmpl-${turnId}-1-[0-9a-f]{8}$`));
      expect(bySession['session-1']).toBeGreaterThan(0);
    });

    test('an abort in mid-answer closes the upstream request', async () => {
      const leave = new AbortController();
      const before = getSimulator().stats().aborted;
      const { result } = await hear(getGenerator(), {
        fault: 'stall-after=2',
        signal: leave.signal,
        onChunk: () => setTimeout(() => leave.abort(), 20),
      });
      expect(result).toEqual({ kind: 'aborted' });
      await idle();
      expect(getSimulator().stats().aborted).toBe(before + 1);
    });

    test('an abort before the first token closes the upstream request', async () => {
      for (const fault of ['stall-headers', 'stall-first']) {
        const leave = new AbortController();
        const heard = hear(getGenerator(), { fault, signal: leave.signal });
        await expect.poll(() => getSimulator().stats().running).toBe(1);
        leave.abort();
        expect((await heard).result).toEqual({ kind: 'aborted' });
        await idle();
      }
    });

    test.each(['stall-headers', 'stall-first', 'stall-after=2'])(
      'an abort after a garbage collection still closes the upstream request (%s)',
      async (fault) => {
        const leave = new AbortController();
        const heard = hear(getGenerator(), { fault, signal: leave.signal });
        await expect.poll(() => getSimulator().stats().running).toBe(1);
        for (let n = 0; n < 3; n += 1) {
          await new Promise((resolve) => setTimeout(resolve, 20));
          collectGarbage();
        }
        leave.abort();
        expect((await heard).result).toEqual({ kind: 'aborted' });
        await idle();
      },
    );

    test('a listener that throws leaves no upstream request open', async () => {
      const onChunk = (): never => {
        throw new Error('a bug in the listener');
      };
      await expect(hear(getGenerator(), { fault: 'stall-after=2', onChunk })).rejects.toThrow(
        'a bug in the listener',
      );
      await idle();
    });

    test('the prompt of the second answer holds the first exchange', async () => {
      const first = await hear(getGenerator());
      const messages: readonly Message[] = [
        ...PATIENT,
        { role: 'assistant', content: first.text },
        { role: 'user', content: 'It is worse at night.' },
      ];
      const second = await hear(getGenerator(), { messages });
      expect(second.text).toContain('You said: It is worse at night.');
      expect(second.text).toContain('Earlier you told me: I have chest pain –');
    });
  });

  describe('continuation', () => {
    test.each(['tokens=120', 'tokens=120,interval=3'])(
      'a continuation by ids from every stored prefix gives exactly the rest (%s)',
      async (fault) => {
        const whole = await hear(getGenerator(), { fault });
        if (whole.result.kind !== 'completed') throw new Error(JSON.stringify(whole.result));
        for (let count = 1; count < whole.chunks.length; count += 1) {
          const prefix = storedAfter(whole.chunks, count);
          expect(prefix.tokenIds).not.toBeNull();
          const rest = await hear(getGenerator(), { fault, prefix });
          expect(prefix.text + rest.text).toBe(whole.text);
          expect(rest.result).toMatchObject({
            kind: 'completed',
            finishReason: 'stop',
            usage: whole.result.usage,
          });
          expect(getSimulator().stats().recent.at(-1)).toMatchObject({ api: 'text', isContinuation: true });
        }
      },
    );

    test('a continuation by ids can break and continue any number of times', async () => {
      const whole = await hear(getGenerator(), { fault: 'tokens=60' });
      const chunks: GenerationChunk[] = [];
      let result: GenerationResult = { kind: 'aborted' };
      for (let attempts = 0; attempts < 20 && result.kind !== 'completed'; attempts += 1) {
        const leave = new AbortController();
        const part = await hear(getGenerator(), {
          fault: 'tokens=60',
          ...(chunks.length === 0 ? {} : { prefix: storedAfter(chunks, chunks.length) }),
          signal: leave.signal,
          onChunk: (chunk) => {
            chunks.push(chunk);
            if (chunks.length % 7 === 0) leave.abort();
          },
        });
        result = part.result;
      }
      expect(result.kind).toBe('completed');
      expect(chunks.map((chunk) => chunk.text).join('')).toBe(whole.text);
    });

    test('a continuation by text from every stored prefix gives exactly the rest', async () => {
      const fault = 'tokens=120';
      const whole = await hear(getGenerator(), { fault });
      for (let count = 1; count < whole.chunks.length; count += 1) {
        const prefix = withoutIds(storedAfter(whole.chunks, count));
        const rest = await hear(getGenerator(), { fault, prefix });
        expect(prefix.text + rest.text).toBe(whole.text);
        expect(rest.chunks.every((chunk) => chunk.tokenIds === undefined)).toBe(true);
        expect(getSimulator().stats().recent.at(-1)?.api).toBe('chat');
      }
    });

    test('a continuation gives exactly the rest even if the server loses ids', async () => {
      const fault = 'tokens=60,lost-ids';
      const messages: readonly Message[] = [{ role: 'user', content: 'Since – today 🩺 I have a fever ✓.' }];
      const whole = await hear(getGenerator(), { fault, messages });
      for (let count = 1; count < whole.chunks.length; count += 1) {
        const prefix = storedAfter(whole.chunks, count);
        const rest = await hear(getGenerator(), { fault, messages, prefix });
        expect(prefix.text + rest.text).toBe(whole.text);
      }
      const lost = whole.chunks.findIndex((chunk) => chunk.tokenIds === undefined);
      expect(lost).toBeGreaterThan(0);
      expect(whole.chunks.slice(lost).every((chunk) => chunk.tokenIds === undefined)).toBe(true);
    });

    test('a retry completes the text after each kind of break', async () => {
      for (const fault of ['truncate-after', 'reset-after', 'abort-after', 'error-after']) {
        const spec = `${fault}=9,times=1`;
        const broken = await hear(getGenerator(), { fault: spec });
        expect(broken.result).toMatchObject({ kind: 'failed', retryable: true });
        const prefix = storedAfter(broken.chunks, broken.chunks.length);
        const rest = await hear(getGenerator(), { fault: spec, prefix });
        const whole = await hear(getGenerator(), { fault: spec });
        expect(prefix.text + rest.text).toBe(whole.text);
      }
    });

    test('a stored answer that lacks only its end completes without new text', async () => {
      const fault = 'tokens=20';
      const whole = await hear(getGenerator(), { fault });
      const rest = await hear(getGenerator(), {
        fault,
        prefix: storedAfter(whole.chunks, whole.chunks.length),
      });
      expect(rest.text).toBe('');
      expect(rest.result).toMatchObject({ kind: 'completed', finishReason: 'stop' });
    });
  });
}
