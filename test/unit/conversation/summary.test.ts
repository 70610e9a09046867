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
  test('a summary call reads the oldest turns that fit, and names the last one', () => {
    const call = summaryCall(null, turns, 1_500);
    const index = Number(call?.through.slice(1));
    const text = call?.messages.at(-1)?.content ?? '';
    expect(text).toContain('Clinician: question 0 ');
    expect(text).toContain(`question ${index} `);
    expect(text).not.toContain(`question ${index + 1} `);
    expect(estimatePrompt(call?.messages ?? [])).toBeLessThanOrEqual(1_500);
  });

  test('a summary call reads a part of a turn that is longer than its budget', () => {
    const long: PastTurn = { id: 'long', question: 'word '.repeat(20_000), answer: 'word '.repeat(20_000) };
    const call = summaryCall('earlier notes', [long, ...turns], 1_500);
    expect(call?.through).toBe('long');
    expect(estimatePrompt(call?.messages ?? [])).toBeLessThanOrEqual(1_500);
    expect(call?.messages.at(-1)?.content).toContain('earlier notes');
  });

  test('without turns there is no summary call', () => {
    expect(summaryCall('earlier', [], 1_500)).toBeNull();
  });
});

test('a summary of any length is cut to its limit, and a second cut changes nothing', () => {
  const once = boundSummary(`  ${'x'.repeat(10_000)}`);
  expect(once.length).toBeLessThanOrEqual(SUMMARY_MAX_CHARS);
  expect(boundSummary(once)).toBe(once);
  expect(boundSummary(' short ')).toBe('short');
});
