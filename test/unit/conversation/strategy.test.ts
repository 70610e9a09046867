import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cutMiddle } from '../../../src/conversation/cut.ts';
import { createPromptBuilder } from '../../../src/conversation/prompt-builder.ts';
import { loadSystemPrompt } from '../../../src/conversation/system-prompt.ts';
import { findingsScore, PINNED_FROM } from '../../../src/conversation/window/findings.ts';
import { parseStrategy } from '../../../src/conversation/window/strategy.ts';
import { messagesOf, readTurns } from '../../../src/conversation/window/turns.ts';

describe('a strategy as an operator writes it', () => {
  test.each([
    ['window:10', { turnsMax: 10, tokensMax: null, adaptive: false, summarise: false }],
    ['budget', { turnsMax: null, tokensMax: null, adaptive: false, summarise: false }],
    ['budget:4000', { turnsMax: null, tokensMax: 4000 }],
    ['summary', { summarise: true, adaptive: false }],
    ['adaptive', { adaptive: true }],
    ['window:20+budget', { turnsMax: 20 }],
    ['summary+budget', { summarise: true }],
    ['adaptive+window:50+summary+budget:3000', { turnsMax: 50, tokensMax: 3000, adaptive: true }],
  ])('the strategy %s is understood', (text, meaning) => {
    expect(parseStrategy(text)).toMatchObject({ name: text, ...meaning });
  });

  test('a strategy’s name does not depend on order, case and spaces', () => {
    expect(parseStrategy(' Budget + WINDOW:20').name).toBe('window:20+budget');
  });

  test.each(['', 'window', 'window:0', 'window:x', 'window:10+window:20', 'summary:3', 'budget:5', 'magic'])(
    'the strategy %j is refused in one sentence that names the valid parts',
    (text) => {
      expect(() => parseStrategy(text)).toThrow(/^The history strategy ".*" cannot be used: .*window:N/);
    },
  );

  test('a wrong strategy or a missing system prompt stops the start', () => {
    const options = { baseUrls: [], defaultMaxTokens: 100 };
    expect(() => createPromptBuilder({ ...options, strategy: 'magic' })).toThrow(/strategy/);
    expect(() =>
      createPromptBuilder({ ...options, strategy: 'budget', systemPromptPath: '/nowhere' }),
    ).toThrow('The system prompt /nowhere cannot be used: ENOENT.');
  });
});

describe('the system prompt', () => {
  const folder = mkdtempSync(join(tmpdir(), 'prompt-'));
  const file = (name: string, content: string | Buffer): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };

  test('the bundled system prompt is short', () => {
    expect(loadSystemPrompt().split('\n').length).toBeLessThanOrEqual(25);
  });

  test('the operator’s file replaces the bundled system prompt', () => {
    expect(loadSystemPrompt(file('own.md', '\nBe kind.\n'))).toBe('Be kind.');
  });

  test.each([
    ['empty', ' \n', 'it is empty'],
    ['binary', Buffer.from([0xff, 0xfe, 0x00]), 'it is not UTF-8'],
    ['huge', 'x'.repeat(40_000), 'it is larger than 32768 bytes'],
  ])('a system prompt that is %s is refused by its path', (name, content, why) => {
    const path = file(name, content);
    expect(() => loadSystemPrompt(path)).toThrow(`The system prompt ${path} cannot be used: ${why}.`);
  });
});

describe('findings', () => {
  test.each([
    'Allergic to penicillin',
    'BP 140/90, crushing substernal pain',
    'Lactate still 4.5 after 2L fluids',
    'She takes metformin twice a day',
    'Also has diabetes and hypertension',
    'SpO2 88% on room air',
    'started on amoxicillin',
    'bronchitis last winter',
  ])('%j is a finding', (question) => {
    expect(findingsScore(question)).toBeGreaterThanOrEqual(PINNED_FROM);
  });

  test.each(['Thank you, that helps', 'Can you explain step 3?', 'What should I tell the family?', 'ok'])(
    '%j is no finding',
    (question) => {
      expect(findingsScore(question)).toBeLessThan(PINNED_FROM);
    },
  );

  test('an allergy weighs more than any other single finding', () => {
    expect(findingsScore('allergic to latex')).toBeGreaterThan(findingsScore('takes aspirin'));
  });
});

describe('a cut', () => {
  test('a cut text keeps both ends and names the missing length', () => {
    expect(cutMiddle('a'.repeat(50) + 'b'.repeat(50), 20)).toBe(
      `${'a'.repeat(10)}\n[… 80 characters left out …]\n${'b'.repeat(10)}`,
    );
    expect(cutMiddle('short', 5)).toBe('short');
  });

  test('a cut text ends with no half of an emoji', () => {
    for (let kept = 0; kept < 20; kept += 1)
      expect(Buffer.from(cutMiddle('🩺'.repeat(10), kept)).toString()).not.toContain('\ufffd');
  });
});

describe('turns of a transcript', () => {
  const entry = (role: 'user' | 'assistant', turnId: string, content: string) => ({
    role,
    turnId,
    content,
    at: 0,
  });

  test('the stored answer of the running turn is no message of the prompt', () => {
    const turns = readTurns(
      [entry('user', 'a', 'q1'), entry('user', 'b', 'q2'), entry('assistant', 'b', 'half')],
      'b',
    );
    expect(messagesOf(null, turns.past, turns.question).at(-1)).toEqual({
      role: 'user',
      content: 'q1\n\nq2',
    });
  });

  test('roles alternate even after turns without an answer', () => {
    const turns = readTurns(
      [
        entry('user', 'a', 'q1'),
        entry('user', 'b', 'q2'),
        entry('assistant', 'b', 'a2'),
        entry('assistant', 'x', 'an answer to nothing'),
        entry('user', 'c', 'q3'),
      ],
      'c',
    );
    expect(messagesOf('s', turns.past, turns.question)).toEqual([
      { role: 'system', content: 's' },
      { role: 'user', content: 'q1\n\nq2' },
      { role: 'assistant', content: 'a2' },
      { role: 'user', content: 'q3' },
    ]);
    expect(turns.withoutQuestion).toEqual(['x']);
  });
});
