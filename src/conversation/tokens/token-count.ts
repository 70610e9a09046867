/**
 * Counts with the server's own tokenizer, message by message, so that a turn asks only for what is new.
 *
 *  N1  A message is counted as a user's, alone: every chat template takes that, and some take nothing else.
 *  N2  What a template adds around every prompt is measured once and taken off again, or 200 messages would pay
 *      200 preambles.
 *  N3  A whole prompt is counted as it is sent. Sums choose, the whole decides.
 *  N4  After the first count that failed, a prompt is estimated to its end: it must not wait for each message.
 *      Estimates are not kept.
 */
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Message } from '../../generation/port.ts';
import { estimateCounter, estimateMessage, estimatePrompt, type TokenCounter } from './token-counter.ts';
import type { TokenizeClient } from './tokenize-client.ts';

export interface Tokenizer {
  /** For one prompt. */
  open(model: string): TokenCounter;
}

const ENTRIES_MAX = 50_000;
/** vLLM tokenises in its API process: a cold conversation must not fill that one's queue. */
const AT_ONCE = 8;

const PROBE: Message = { role: 'user', content: 'x' };
const PROBE_TURN: readonly Message[] = [PROBE, { role: 'assistant', content: 'x' }, PROBE];

export function createTokenizer(client: TokenizeClient): Tokenizer {
  const kept = new LRUCache<string, number>({ max: ENTRIES_MAX });

  return {
    open(model) {
      let by: TokenCounter['by'] = 'tokenizer';
      let failed = false;

      /** null: to be estimated. */
      async function ask(messages: readonly Message[]): Promise<number | null> {
        const key = createHash('sha256')
          .update(JSON.stringify([model, messages]))
          .digest('base64url');
        const known = kept.get(key);
        if (known !== undefined) return known;
        const count = failed ? { kind: 'unavailable' as const } : await client.count(model, messages);
        if (count.kind === 'counted') {
          kept.set(key, count.tokens);
          return count.tokens;
        }
        by = 'estimate';
        if (count.kind === 'unavailable') failed = true; // N4
        return null;
      }

      async function fixed(): Promise<number> {
        const one = await ask([PROBE]);
        if (one === null) return await estimateCounter.fixed();
        const three = await ask(PROBE_TURN);
        // Where the template refuses the probe, singles stay as they are: too much, never too little.
        return three === null ? 0 : Math.max(0, Math.floor(one - (three - one) / 2)); // N2
      }

      async function cost(message: Message, around: number): Promise<number> {
        const alone = await ask([{ role: 'user', content: message.content }]); // N1
        return alone === null ? estimateMessage(message) : Math.max(1, alone - around);
      }

      return {
        get by() {
          return by;
        },
        fixed,
        async costs(messages) {
          const around = await fixed();
          const costs: number[] = [];
          let next = 0;
          const worker = async (): Promise<void> => {
            while (next < messages.length) {
              const index = next++;
              const message = messages[index];
              if (message !== undefined) costs[index] = await cost(message, around);
            }
          };
          await Promise.all(Array.from({ length: AT_ONCE }, worker));
          return costs;
        },
        async whole(messages) {
          return (await ask(messages)) ?? estimatePrompt(messages); // N3
        },
      };
    },
  };
}
