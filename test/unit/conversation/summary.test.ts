import { describe, expect, test } from 'vitest';
import { boundSummary, SUMMARY_MAX_CHARS, summaryCall } from '../../../src/conversation/summary.ts';
import { estimatePrompt } from '../../../src/conversation/tokens/token-counter.ts';
import type { PastTurn } from '../../../src/conversation/window/turns.ts';

const turns: readonly PastTurn[] = Array.from({ length: 50 }, (_, at) => ({
  id: `t${at}`,
  question: `question ${at} ${'word '.repeat(30)}`,
  answer: at % 5 === 0 ? null : `answer ${at}`,
}));

describe('the call that makes a summary', () => {
  test('tells the oldest turns that fit, and says how far it went', () => {
    const call = summaryCall(null, turns, 1_500);
    const index = Number(call?.through.slice(1));
    const text = call?.messages.at(-1)?.content ?? '';
    expect(text).toContain('Clinician: question 0 ');
    expect(text).toContain(`question ${index} `);
    expect(text).not.toContain(`question ${index + 1} `);
    expect(estimatePrompt(call?.messages ?? [])).toBeLessThanOrEqual(1_500);
  });

  test('makes progress also where one turn is longer than all the room', () => {
    const long: PastTurn = { id: 'long', question: 'word '.repeat(20_000), answer: 'word '.repeat(20_000) };
    const call = summaryCall('earlier notes', [long, ...turns], 1_500);
    expect(call?.through).toBe('long');
    expect(estimatePrompt(call?.messages ?? [])).toBeLessThanOrEqual(1_500);
    expect(call?.messages.at(-1)?.content).toContain('earlier notes');
  });

  test('there is none for no turns', () => {
    expect(summaryCall('earlier', [], 1_500)).toBeNull();
  });
});

test('a summary is bounded however long the model makes it, and bounding again changes nothing', () => {
  const once = boundSummary(`  ${'x'.repeat(10_000)}`);
  expect(once.length).toBeLessThanOrEqual(SUMMARY_MAX_CHARS);
  expect(boundSummary(once)).toBe(once);
  expect(boundSummary(' short ')).toBe('short');
});
