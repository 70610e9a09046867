import { describe, expect, test } from 'vitest';
import type { Summary } from '../../../src/conversation/port.ts';
import { estimateCounter } from '../../../src/conversation/tokens/token-counter.ts';
import { parseStrategy } from '../../../src/conversation/window/strategy.ts';
import type { PastTurn } from '../../../src/conversation/window/turns.ts';
import { chooseWindow, type Window, type WindowInput } from '../../../src/conversation/window/window.ts';

/** About 200 tokens by the estimate. */
const turn = (index: number, question = `question ${'word '.repeat(50)}`): PastTurn => ({
  id: `t${index}`,
  question,
  answer: `answer ${'word '.repeat(50)}`,
});
const turns = (count: number): readonly PastTurn[] => Array.from({ length: count }, (_, at) => turn(at + 1));

function choose(
  strategy: string,
  past: readonly PastTurn[],
  more: Partial<WindowInput> = {},
): Promise<Window> {
  return chooseWindow({
    strategy: parseStrategy(strategy),
    prompt: 'Be careful.',
    picture: {},
    turns: { past, question: 'and now?', withoutQuestion: [] },
    currentId: 'now',
    summary: null,
    budgetTokens: 2_000,
    counter: estimateCounter,
    ...more,
  });
}

describe('window:N', () => {
  test('window:N keeps the last N turns before the current one', async () => {
    const window = await choose('window:3', turns(10));
    expect(window.turnsIn).toEqual(['t8', 't9', 't10', 'now']);
    expect(window.turnsOut).toHaveLength(7);
    expect(window.toSummarise).toBeNull();
  });

  test('window:N keeps fewer turns if N do not fit', async () => {
    const window = await choose('window:100', turns(100));
    expect(window.promptTokens).toBeLessThanOrEqual(2_000);
    expect(window.turnsIn.at(-2)).toBe('t100');
  });
});

describe('budget', () => {
  test('budget keeps the newest turns that fit, without a hole', async () => {
    const past = [...turns(5), turn(6, 'x'.repeat(9_000)), turn(7)];
    const window = await choose('budget', past);
    expect(window.turnsIn).toEqual(['t7', 'now']);
  });

  test('budget keeps every turn while all fit', async () => {
    const window = await choose('budget', turns(5));
    expect(window.turnsOut).toEqual([]);
    expect(window.messages).toHaveLength(1 + 10 + 1);
  });
});

describe('adaptive', () => {
  test('adaptive keeps an old allergy and drops old long turns', async () => {
    const past = [
      turn(1, 'The patient is allergic to penicillin.'),
      turn(2, `Please explain again ${'and again '.repeat(120)}`),
      ...turns(20).slice(2),
    ];
    const window = await choose('adaptive', past);
    expect(window.turnsIn).toContain('t1');
    expect(window.turnsIn.slice(-3)).toEqual(['t19', 't20', 'now']);
    expect(window.turnsOut).toContain('t2');
  });

  test('adaptive leaves room for recent turns even if every turn holds a finding', async () => {
    const past = Array.from({ length: 40 }, (_, at) =>
      turn(at, `allergic to ${at}, takes aspirin, diabetes, BP 120/80, lactate 4.5 ${'word '.repeat(30)}`),
    );
    const window = await choose('adaptive', past);
    expect(window.turnsIn.slice(-3)).toEqual(['t38', 't39', 'now']);
    expect(window.promptTokens).toBeLessThanOrEqual(2_000);
  });
});

describe('summary', () => {
  const summary: Summary = { through: 't30', content: 'NOTES: allergic to penicillin' };

  test('summary asks for one before a turn is lost, then frees half the window', async () => {
    let firstAsked = 0;
    for (let count = 1; firstAsked === 0; count += 1) {
      const window = await choose('summary', turns(count));
      if (window.toSummarise !== null) firstAsked = count;
      expect(window.turnsOut).toEqual([]);
    }
    const window = await choose('summary', turns(firstAsked));
    const through = Number(window.toSummarise?.through.slice(1));
    expect(through).toBeGreaterThan(firstAsked / 3);
    expect(through).toBeLessThan(firstAsked);
  });

  test('the stored summary replaces the turns that it covers, in the system message', async () => {
    const window = await choose('summary', turns(33), { summary });
    expect(window.messages[0]?.content).toContain('Earlier in this conversation:\nNOTES: allergic');
    expect(window.turnsSummarised).toHaveLength(30);
    expect(window.turnsIn).toEqual(['t31', 't32', 't33', 'now']);
    expect(window.turnsOut).toEqual([]);
    expect(window.toSummarise).toBeNull();
  });

  test('the next summary builds on the last one and covers the turns after it', async () => {
    const window = await choose('summary', turns(60), { summary });
    const text = window.toSummarise?.messages.map(({ content }) => content).join('\n') ?? '';
    expect(text).toContain('NOTES: allergic');
    expect(Number(window.toSummarise?.through.slice(1))).toBeGreaterThan(30);
  });

  test('a summary whose last turn was rolled back stays out of the prompt', async () => {
    const window = await choose('summary', turns(20), { summary });
    expect(window.messages[0]?.content).not.toContain('NOTES');
    expect(window.turnsSummarised).toEqual([]);
  });

  test('a stored summary stays out of the prompt under another strategy', async () => {
    const window = await choose('budget', turns(33), { summary });
    expect(window.messages[0]?.content).not.toContain('NOTES');
    expect(window.turnsSummarised).toEqual([]);
  });

  test('summary with window:N keeps between half of N and N turns', async () => {
    const window = await choose('summary+window:4', turns(4));
    expect(window.turnsOut).toEqual([]);
    expect(window.toSummarise?.through).toBe('t2');
  });

  test('summary with adaptive keeps a pinned turn whole although a summary covers it', async () => {
    const past = [turn(1, 'allergic to latex'), ...turns(33).slice(1)];
    const window = await choose('adaptive+summary', past, { summary });
    expect(window.turnsIn).toEqual(['t1', 't31', 't32', 't33', 'now']);
    expect(window.turnsSummarised).toHaveLength(29);
  });
});

describe('where even the question hardly fits', () => {
  const patient = { other: { note: 'x'.repeat(500), plan: 'y'.repeat(12_000) } };

  test('a question that is too long loses its middle, with a visible mark', async () => {
    const question = `begin ${'word '.repeat(5_000)} end`;
    const window = await choose('budget', turns(3), {
      turns: { past: turns(3), question, withoutQuestion: [] },
    });
    const last = window.messages.at(-1)?.content ?? '';
    expect(last).toMatch(/^begin .*\[… \d+ characters left out …\].* end$/s);
    expect(window.promptTokens).toBeLessThanOrEqual(2_000);
    expect(window.turnsIn).toEqual(['now']);
  });

  test('a patient block that is too long is cut before the question', async () => {
    const window = await choose('budget', [], { picture: patient });
    expect(window.messages[0]?.content).toMatch(/^Be careful\.\n\nPatient:.*characters left out/s);
    expect(window.messages.at(-1)?.content).toBe('and now?');
    expect(window.promptTokens).toBeLessThanOrEqual(2_000);
  });

  test('the summary leaves first, then a system prompt that fills the window is cut', async () => {
    const window = await choose('summary', turns(33), {
      prompt: 'careful '.repeat(2_000),
      summary: { through: 't30', content: 'NOTES' },
    });
    expect(window.messages[0]?.content).not.toContain('NOTES');
    expect(window.turnsSummarised).toEqual([]);
    expect(window.promptTokens).toBeLessThanOrEqual(2_000);
    expect(window.messages.at(-1)?.content).toBe('and now?');
  });
});

test('without prompt, patient and summary there is no system message', async () => {
  const window = await choose('budget', turns(1), { prompt: null });
  expect(window.messages[0]?.role).toBe('user');
});
