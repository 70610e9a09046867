/** A cancelled answer stops in the engine, by the engine's own count of its requests. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hear } from '../conformance/vllm-listening.ts';
import { makeGenerator } from './listening.ts';
import { answered, ask, completionTokens, type Rehydra, shown, startRehydra } from './rehydra.ts';
import { type Counters, readCounters } from './server-counters.ts';
import { engine } from './target.ts';

const TOKENS = 1_200;
/** A fast engine would end a short answer before the cancellation arrives. */
const UNENDING = { ignore_eos: true };
const QUESTION = 'Tell me about your work.';

export function describeCancel(): void {
  describe('cancel', () => {
    let rehydra: Rehydra;
    /** Tokens of the same answer without a cancellation. */
    let whole = 0;
    beforeAll(async () => {
      const { countsRequests } = engine.features;
      rehydra = await startRehydra(
        [engine.url],
        countsRequests ? { VLLM_EXTRA_BODY: JSON.stringify(UNENDING) } : {},
      );
      const client = await rehydra.connect();
      const sent = ask(client, QUESTION, TOKENS);
      await answered(client, sent);
      whole = completionTokens(client, sent);
      client.stop();
    });
    afterAll(async () => rehydra.stop());

    const counters = async (): Promise<Counters> => {
      const read = await readCounters(engine.url);
      if (read === null) throw new Error('the server has no metrics any more');
      return read;
    };
    const expectStopped = async (generatedBefore: number): Promise<string> => {
      await expect.poll(async () => (await counters()).running).toBe(0);
      const generated = (await counters()).generated - generatedBefore;
      expect(generated).toBeLessThan(whole);
      return `the engine stopped after ${generated} of ${whole} tokens`;
    };

    test.skipIf(!engine.features.countsRequests)(
      'an abort of the generator stops the request in the engine',
      async ({ annotate }) => {
        const generator = makeGenerator(UNENDING);
        const before = await counters();
        const leave = new AbortController();
        let heard = 0;
        const { result } = await hear(generator, {
          messages: [{ role: 'user', content: QUESTION }],
          options: { maxTokens: TOKENS },
          signal: leave.signal,
          onChunk: () => {
            heard += 1;
            if (heard === 5) leave.abort();
          },
        });
        expect(result).toEqual({ kind: 'aborted' });
        await annotate(await expectStopped(before.generated));
        await generator.close();
      },
    );

    test.skipIf(!engine.features.countsRequests)(
      'a client that cancels its turn stops the request in the engine',
      async ({ annotate }) => {
        const before = await counters();
        const client = await rehydra.connect();
        const sent = ask(client, QUESTION, TOKENS);
        await shown(client, sent, 20);
        expect((await counters()).running).toBe(1);
        client.session.cancel();
        const turn = await answered(client, sent);
        expect(turn.outcome.kind).toBe('cancelled');
        await annotate(await expectStopped(before.generated));
        client.stop();
      },
    );

    test('a session answers the next question after a cancelled turn', async () => {
      const client = await rehydra.connect();
      const first = ask(client, QUESTION, TOKENS);
      await shown(client, first, 20);
      client.session.cancel();
      await answered(client, first);
      const second = ask(client, 'It is worse at night.', 12);
      const turn = await answered(client, second);
      expect(turn.outcome.kind).toBe('completed');
      expect(client.violations).toEqual([]);
      client.stop();
    });
  });
}
