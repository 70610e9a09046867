/** Compares the continuation of a cut answer with the same answer uncut (temperature 0). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GenerationChunk, GenerationResult, Generator } from '../../src/generation/port.ts';
import { type Heard, hear, storedAfter, withoutIds } from '../conformance/vllm-listening.ts';
import { aboutTheQuestion, completed, makeGenerator } from './listening.ts';
import { engine } from './target.ts';

const TOKENS = 64;
/** Cuts per kind of continuation: a CPU takes seconds for each, so --cuts may ask for fewer. */
const CUTS = Number(process.env.ENGINE_CUTS ?? 24);

export function describeContinuation(): void {
  describe('continuation', () => {
    const { features } = engine;
    const continuesText = features.continuesByText === 'continued';
    let generator: Generator;
    let whole: Heard;
    beforeAll(async () => {
      generator = makeGenerator();
      whole = await completed(generator, TOKENS);
    });
    afterAll(async () => generator.close());

    test('the same question gets the same answer twice', async () => {
      expect((await completed(generator, TOKENS)).text).toBe(whole.text);
    });

    test.skipIf(!features.ids)(
      'a continuation by ids from every cut gives exactly the rest',
      async ({ annotate }) => {
        const cuts = cutsOf(whole.chunks, () => true);
        for (const count of cuts) {
          const prefix = storedAfter(whole.chunks, count);
          expect(prefix.tokenIds).not.toBeNull();
          const rest = await completed(generator, TOKENS, prefix);
          expect(prefix.text + rest.text).toBe(whole.text);
          if (whole.result.kind === 'completed')
            expect(rest.result).toMatchObject({
              finishReason: whole.result.finishReason,
              usage: { completion_tokens: whole.result.usage.completion_tokens },
            });
        }
        await annotate(`${cuts.length} cuts`);
      },
    );

    test.skipIf(!features.ids)(
      'a continuation by ids can break and continue any number of times',
      async ({ annotate }) => {
        const chunks: GenerationChunk[] = [];
        let result: GenerationResult = { kind: 'aborted' };
        let breaks = 0;
        for (; breaks < 20 && result.kind === 'aborted'; breaks += 1) {
          const leave = new AbortController();
          const part = await hear(generator, {
            messages: aboutTheQuestion(),
            options: { maxTokens: TOKENS },
            ...(chunks.length === 0 ? {} : { prefix: storedAfter(chunks, chunks.length) }),
            signal: leave.signal,
            onChunk: (chunk) => {
              chunks.push(chunk);
              if (chunks.length % 9 === 0) leave.abort();
            },
          });
          result = part.result;
        }
        expect(result.kind).toBe('completed');
        expect(chunks.map(({ text }) => text).join('')).toBe(whole.text);
        await annotate(`broken ${breaks - 1} times`);
      },
    );

    test.skipIf(!continuesText)(
      'a continuation by text from the end of a word gives exactly the rest',
      async ({ annotate }) => {
        const cuts = cutsOf(whole.chunks, (next) => /^\s/.test(next));
        const exact = await countExact(cuts);
        await annotate(`${exact} of ${cuts.length} cuts`);
        expect(exact).toBe(cuts.length);
      },
    );

    test.skipIf(!continuesText)(
      'a continuation by text from inside a word completes the answer without a repeat',
      async ({ annotate }) => {
        const cuts = cutsOf(whole.chunks, (next) => !/^\s/.test(next));
        await annotate(`${await countExact(cuts)} of ${cuts.length} cuts give the same words`);
      },
    );

    /** Every continuation must complete and not repeat its prefix. */
    async function countExact(cuts: readonly number[]): Promise<number> {
      let exact = 0;
      for (const count of cuts) {
        const prefix = withoutIds(storedAfter(whole.chunks, count));
        const rest = await completed(generator, TOKENS, prefix);
        const text = prefix.text + rest.text;
        const length = Math.min(text.length, whole.text.length);
        // The remaining budget is an estimate, so the end may be a few words away.
        if (length >= whole.text.length * 0.8 && text.slice(0, length) === whole.text.slice(0, length))
          exact += 1;
        const opening = prefix.text.slice(0, 20);
        // A small model may repeat itself even uncut.
        const repeatsItself = whole.text
          .slice(prefix.text.length)
          .trimStart()
          .startsWith(opening.trimStart());
        if (opening.length === 20 && !repeatsItself) expect(rest.text.startsWith(opening)).toBe(false);
      }
      return exact;
    }
  });
}

/** Cut positions, evenly spread over the chunks before a chunk that fits. */
function cutsOf(chunks: readonly GenerationChunk[], fits: (next: string) => boolean): readonly number[] {
  const all = chunks.flatMap(({ text }, index) => (index > 0 && fits(text) ? [index] : []));
  const step = Math.max(1, all.length / CUTS);
  return Array.from({ length: Math.min(CUTS, all.length) }, (_, index) => all[Math.floor(index * step)] ?? 1);
}
