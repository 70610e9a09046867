/** Laws for every conversation, strategy and token counter. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Summary } from '../../src/conversation/port.ts';
import { estimateCounter, type TokenCounter } from '../../src/conversation/tokens/token-counter.ts';
import { parseStrategy } from '../../src/conversation/window/strategy.ts';
import { readTurns } from '../../src/conversation/window/turns.ts';
import { chooseWindow } from '../../src/conversation/window/window.ts';
import type { Message } from '../../src/generation/port.ts';
import type { TranscriptEntry } from '../../src/store/contract.ts';

/** A token per character; `hidden` is what a template adds per message and no single count shows. */
function characters(hidden: number): TokenCounter {
  const cost = ({ content }: Message): number => content.length + 4;
  return {
    by: 'tokenizer',
    overhead: async () => 5,
    costs: async (messages) => messages.map(cost),
    whole: async (messages) => messages.reduce((sum, each) => sum + cost(each) + hidden, 5),
  };
}

const counters: readonly TokenCounter[] = [estimateCounter, characters(0), characters(3)];

const words = fc.oneof(
  { weight: 6, arbitrary: fc.stringMatching(/^[a-z ]{0,80}$/) },
  { weight: 2, arbitrary: fc.constantFrom('allergic to latex', 'takes aspirin 100 mg', 'BP 120/80', '🩺🩺') },
  { weight: 1, arbitrary: fc.nat(6_000).map((length) => 'word '.repeat(length / 5)) },
);

const strategyText = fc
  .record({
    window: fc.option(fc.integer({ min: 1, max: 30 })),
    budget: fc.boolean(),
    adaptive: fc.boolean(),
    summary: fc.boolean(),
  })
  .map(({ window, budget, adaptive, summary }) =>
    [
      ...(window === null ? [] : [`window:${window}`]),
      ...(adaptive ? ['adaptive'] : []),
      ...(summary ? ['summary'] : []),
      ...(budget || (window === null && !adaptive && !summary) ? ['budget'] : []),
    ].join('+'),
  );

const spoken = fc.array(fc.record({ question: words, answer: fc.option(words, { freq: 6 }) }), {
  maxLength: 40,
});

const situation = fc.record({
  spoken,
  question: words,
  strategyText,
  counter: fc.constantFrom(...counters),
  budgetTokens: fc.integer({ min: 256, max: 12_000 }),
  prompt: fc.option(words),
  complaints: fc.array(
    words.map((text) => text.slice(0, 1_000)),
    { maxLength: 12 },
  ),
  summarisedTurns: fc.option(fc.nat(40)),
});

function transcriptOf(past: readonly { question: string; answer: string | null }[], question: string) {
  const lines = past.flatMap(({ question: asked, answer }, at): TranscriptEntry[] => [
    { role: 'user', turnId: `t${at}`, content: asked, at },
    ...(answer === null ? [] : [{ role: 'assistant' as const, turnId: `t${at}`, content: answer, at }]),
  ]);
  return [...lines, { role: 'user' as const, turnId: 'now', content: question, at: 0 }];
}

test('a window is within its budget, holds the question, keeps the order and accounts for every turn', async () => {
  await fc.assert(
    fc.asyncProperty(situation, async (given) => {
      const summary: Summary | null =
        given.summarisedTurns === null ? null : { through: `t${given.summarisedTurns}`, content: 'NOTES' };
      const turns = readTurns(transcriptOf(given.spoken, given.question), 'now');
      const window = await chooseWindow({
        strategy: parseStrategy(given.strategyText),
        prompt: given.prompt,
        picture: given.complaints.length === 0 ? {} : { chief_complaints: given.complaints },
        turns,
        currentId: 'now',
        summary,
        budgetTokens: given.budgetTokens,
        counter: given.counter,
      });

      // within the budget, by the counter in use
      expect(window.promptTokens).toBe(await given.counter.whole(window.messages));
      expect(window.promptTokens).toBeLessThanOrEqual(given.budgetTokens);

      // the question is there, whole or visibly cut
      const last = window.messages.at(-1);
      expect(last?.role).toBe('user');
      expect(
        last?.content.endsWith(given.question) === true || last?.content.includes('characters left out'),
      ).toBe(true);

      // roles alternate behind one system message at most
      const talk = window.messages.filter((message) => message.role !== 'system');
      expect(window.messages.length - talk.length).toBeLessThanOrEqual(1);
      expect(talk.every(({ role }, at) => role === (at % 2 === 0 ? 'user' : 'assistant'))).toBe(true);

      // in order, and whole: the answers in the prompt are those of the reported turns
      const order = [...given.spoken.map((_, at) => `t${at}`), 'now'];
      const inside = new Set(window.turnsIn);
      expect(window.turnsIn).toEqual(order.filter((id) => inside.has(id)));
      expect(talk.filter(({ role }) => role === 'assistant').map(({ content }) => content)).toEqual(
        turns.past.filter(({ id, answer }) => inside.has(id) && answer !== null).map(({ answer }) => answer),
      );

      // every turn exactly once
      const all = [...window.turnsIn, ...window.turnsOut, ...window.turnsSummarised];
      expect(all.toSorted()).toEqual(order.toSorted());

      // only a strategy with summaries asks for one, and never for the running turn
      if (!given.strategyText.includes('summary')) expect(window.toSummarise).toBeNull();
      expect(window.toSummarise?.through).not.toBe('now');
    }),
    { numRuns: 400 },
  );
});

test('the same conversation always gives the same prompt, so that a retry continues the stored answer', async () => {
  await fc.assert(
    fc.asyncProperty(situation, async (given) => {
      const choose = () =>
        chooseWindow({
          strategy: parseStrategy(given.strategyText),
          prompt: given.prompt,
          picture: {},
          turns: readTurns(transcriptOf(given.spoken, given.question), 'now'),
          currentId: 'now',
          summary: null,
          budgetTokens: given.budgetTokens,
          counter: given.counter,
        });
      expect(await choose()).toEqual(await choose());
    }),
    { numRuns: 60 },
  );
});

test('summaries cover every turn that leaves the window', async () => {
  await fc.assert(
    fc.asyncProperty(spoken, fc.constantFrom('summary', 'summary+window:5'), async (past, text) => {
      let summary: Summary | null = null;
      for (let call = 0; ; call += 1) {
        const window = await chooseWindow({
          strategy: parseStrategy(text),
          prompt: null,
          picture: {},
          turns: readTurns(transcriptOf(past, 'now?'), 'now'),
          currentId: 'now',
          summary,
          budgetTokens: 4_000,
          counter: estimateCounter,
        });
        if (window.toSummarise === null) {
          expect(window.turnsOut).toEqual([]);
          return;
        }
        const index = (id: string | undefined): number => Number(id?.slice(1) ?? -1);
        expect(index(window.toSummarise.through)).toBeGreaterThan(index(summary?.through));
        expect(call).toBeLessThan(50);
        summary = { through: window.toSummarise.through, content: 'NOTES' };
      }
    }),
    { numRuns: 100 },
  );
});
