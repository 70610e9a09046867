/** A conversation longer than the model's window is shortened; a request that never fits fails with a code. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ReconnectingClient, SentMessage } from '../support/instance/reconnecting-client.ts';
import { answered, ask, completedFrame, type Rehydra, startRehydra } from './rehydra.ts';
import { engine } from './target.ts';

const ASSUMED_TOKENS = 8_192;
/** About a tenth of a window of 2,048 tokens in each question. */
const WORDS = 'My left knee is swollen, it hurts more at night, and the pain goes down to my foot. ';
const REPEATS = 8;
/** Nearly the limit of one client frame. */
const FRAME_CHARACTERS = 60_000;

export function describeOverflow(): void {
  describe('overflow', () => {
    // A CPU needs an hour to fill such a window.
    const windowTokens = engine.features.contextTokens ?? ASSUMED_TOKENS;
    const tooLarge = windowTokens > ASSUMED_TOKENS;
    const turnsMax = Math.ceil((24 * windowTokens) / 2_048);
    let rehydra: Rehydra;
    beforeAll(async () => {
      rehydra = await startRehydra([engine.url]);
    });
    afterAll(async () => rehydra.stop());

    test.skipIf(tooLarge)(
      'a conversation longer than the window continues without its oldest turns',
      async ({ annotate }) => {
        const client = await rehydra.connect();
        let left = 0;
        let turns = 0;
        for (; turns < turnsMax && left === 0; turns += 1) {
          const sent = ask(client, `${turns + 1}. ${WORDS.repeat(REPEATS)}`, 8);
          const turn = await answered(client, sent);
          expect(turn.outcome).toMatchObject({ kind: 'completed' });
          left = turnsLeftOut(client, sent);
        }
        await annotate(`turn ${turns} left ${left} older ones out`);
        expect(left).toBeGreaterThan(0);
        client.stop();
      },
    );

    test.skipIf(tooLarge)('a message longer than the window is cut in its middle and answered', async () => {
      const client = await rehydra.connect();
      const sent = ask(client, WORDS.repeat(Math.floor(FRAME_CHARACTERS / WORDS.length)), 8);
      expect((await answered(client, sent)).outcome).toMatchObject({ kind: 'completed' });
      client.stop();
    });

    test.skipIf(!engine.features.refusesManyTokens || tooLarge)(
      'an answer longer than the window ends its turn as context_length_exceeded',
      async () => {
        const client = await rehydra.connect();
        const sent = ask(client, 'My knee is swollen.', 100_000);
        const turn = await answered(client, sent);
        expect(turn.outcome).toEqual({ kind: 'failed', code: 'context_length_exceeded', retryable: false });
        client.stop();
      },
    );
  });
}

function turnsLeftOut(client: ReconnectingClient, sent: SentMessage): number {
  const { turns_out_count, turns_summarised_count } = completedFrame(client, sent)?.metadata.window ?? {};
  return Number(turns_out_count ?? 0) + Number(turns_summarised_count ?? 0);
}
