/**
 * Kills the instance or the engine in mid-answer. The reference is the answer of an undisturbed session to the same
 * question at temperature 0: a gap, a repeat or a word of another answer differs from it.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ReconnectingClient, SentMessage } from '../support/instance/reconnecting-client.ts';
import { killGroup } from './engine-process.ts';
import { answered, ask, type Rehydra, resumed, shown, startRehydra } from './rehydra.ts';
import { readCounters } from './server-counters.ts';
import { engine } from './target.ts';

const TOKENS = 200;
const CLIENTS = 6;
const ROUNDS_MAX = 8;

export function describeKill(): void {
  describe('SIGKILL in mid-answer', () => {
    const urls = engine.secondUrl === null ? [engine.url] : [engine.url, engine.secondUrl];
    let rehydra: Rehydra;
    let reference = '';
    beforeAll(async () => {
      rehydra = await startRehydra(urls);
      const client = await rehydra.connect();
      const turn = await answered(client, ask(client, engine.question, TOKENS));
      expect(turn.outcome).toMatchObject({ kind: 'completed' });
      reference = turn.text;
      client.stop();
    });
    afterAll(async () => rehydra?.stop());

    test.each([0.15, 0.4, 0.7])(
      'after SIGKILL of the instance at %d of the text, the client reads the whole answer once',
      async (share) => {
        // A fast model on a busy machine may finish before its client has read so much: then the test repeats.
        for (let round = 0; round < ROUNDS_MAX; round += 1) {
          const client = await rehydra.connect();
          const sent = ask(client, engine.question, TOKENS);
          await shown(client, sent, reference.length * share);
          if (client.turnOf(sent)?.outcome.kind === 'running') {
            await rehydra.killAndRestart();
            return expectWhole(client, sent);
          }
          client.stop();
        }
        throw new Error('each answer had ended before the kill');
      },
    );

    test.skipIf(engine.pid === null || engine.secondUrl === null)(
      'after SIGKILL of the engine, the other replica finishes the answer',
      async ({ annotate }) => {
        // The instance chooses the replica: rounds continue until the replica to kill has work.
        for (let round = 0; round < ROUNDS_MAX; round += 1) {
          const clients = await Promise.all(Array.from({ length: CLIENTS }, () => rehydra.connect()));
          const sent = clients.map((client) => ask(client, engine.question, TOKENS));
          await Promise.any(clients.map((client, index) => shown(client, sent[index]!, 20)));
          const busy = ((await readCounters(engine.url))?.running ?? 1) > 0;
          if (busy) killEngine();
          await Promise.all(clients.map((client, index) => expectWhole(client, sent[index]!, 0)));
          if (!busy) continue;
          const moved = clients.filter((client, index) => resumed(client, sent[index]!) > 0).length;
          await annotate(`${moved} of ${clients.length} answers moved`);
          return expect(moved).toBeGreaterThan(0);
        }
        throw new Error('the first server never had work');
      },
    );

    test.skipIf(engine.pid === null || engine.secondUrl !== null)(
      'after SIGKILL of the only engine, the turn fails with a code and keeps the shown text',
      async () => {
        const client = await rehydra.connect();
        const sent = ask(client, engine.question, TOKENS);
        await shown(client, sent, reference.length / 5);
        killEngine();
        const turn = await answered(client, sent);
        expect(turn.outcome).toMatchObject({ kind: 'failed', retryable: true });
        expect(turn.text).not.toBe('');
        expect(reference.startsWith(turn.text)).toBe(true);
        client.stop();
      },
    );

    async function expectWhole(
      client: ReconnectingClient,
      sent: SentMessage,
      resumedAtLeast = 1,
    ): Promise<void> {
      const turn = await answered(client, sent);
      expect(turn.outcome).toMatchObject({ kind: 'completed' });
      expectSameText(turn.text, reference);
      expect(resumed(client, sent)).toBeGreaterThanOrEqual(resumedAtLeast);
      expect(client.violations).toEqual([]);
      client.stop();
    }
  });
}

/** By ids: to the last character. By text: the remaining tokens are an estimate, so the end may differ. */
function expectSameText(text: string, reference: string): void {
  if (engine.features.ids) return expect(text).toBe(reference);
  const length = Math.min(text.length, reference.length);
  expect(text.slice(0, length)).toBe(reference.slice(0, length));
  expect(length).toBeGreaterThan(reference.length * 0.6);
}

function killEngine(): void {
  if (engine.pid === null) throw new Error('no process to kill');
  killGroup(engine.pid);
}
