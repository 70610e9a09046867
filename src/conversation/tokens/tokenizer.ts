/**
 * Counts a prompt with the server's own tokenizer, message by message, so that a turn asks only for what is new.
 *
 * TOKENS-1  The server counts each message alone, as a user's: some chat templates take nothing else.
 * TOKENS-2  The tokens that a template adds around every prompt are measured once and subtracted: 200 messages would
 *           otherwise pay for 200 preambles.
 * TOKENS-3  The sum of message counts only chooses the turns; the count of the whole prompt decides.
 * TOKENS-4  After the first failed count, the rest of a prompt is estimated: it must not wait for each message.
 *           The cache keeps no estimates.
 */
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Message } from '../../generation/port.ts';
import { estimateCounter, estimateMessage, estimatePrompt, type TokenCounter } from './token-counter.ts';
import type { TokenizeClient } from './tokenize-client.ts';

export interface Tokenizer {
  /** For one prompt. */
  counterFor(model: string): TokenCounter;
}

const COUNTS_MAX = 50_000;
/** vLLM tokenises in its API process: a cold conversation must not fill that process's queue. */
const AT_ONCE = 8;

const PROBE: Message = { role: 'user', content: 'x' };
const PROBE_TURN: readonly Message[] = [PROBE, { role: 'assistant', content: 'x' }, PROBE];

export function createTokenizer(client: TokenizeClient): Tokenizer {
  const counts = new LRUCache<string, number>({ max: COUNTS_MAX });

  return {
    counterFor(model) {
      let by: TokenCounter['by'] = 'tokenizer';
      let hasFailed = false;

      /** null: no count; the caller estimates. */
      async function ask(messages: readonly Message[]): Promise<number | null> {
        const key = createHash('sha256')
          .update(JSON.stringify([model, messages]))
          .digest('base64url');
        const known = counts.get(key);
        if (known !== undefined) return known;
        const count = hasFailed ? { kind: 'unavailable' as const } : await client.count(model, messages);
        if (count.kind === 'counted') {
          counts.set(key, count.tokens);
          return count.tokens;
        }
        by = 'estimate';
        if (count.kind === 'unavailable') hasFailed = true; // TOKENS-4
        return null;
      }

      async function overhead(): Promise<number> {
        const one = await ask([PROBE]);
        if (one === null) return await estimateCounter.overhead();
        const three = await ask(PROBE_TURN);
        // If the template refuses the probe, single counts keep their preamble: too much, never too little.
        return three === null ? 0 : Math.max(0, Math.floor(one - (three - one) / 2)); // TOKENS-2
      }

      async function cost(message: Message, around: number): Promise<number> {
        const alone = await ask([{ role: 'user', content: message.content }]); // TOKENS-1
        return alone === null ? estimateMessage(message) : Math.max(1, alone - around);
      }

      return {
        get by() {
          return by;
        },
        overhead,
        async costs(messages) {
          const around = await overhead();
          const costs: number[] = [];
          const waiting = messages.entries();
          const worker = async (): Promise<void> => {
            for (const [index, message] of waiting) costs[index] = await cost(message, around);
          };
          await Promise.all(Array.from({ length: AT_ONCE }, worker));
          return costs;
        },
        async whole(messages) {
          return (await ask(messages)) ?? estimatePrompt(messages); // TOKENS-3
        },
      };
    },
  };
}
