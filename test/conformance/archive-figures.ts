import { describe, expect, it } from 'vitest';
import { type ArchiveFactory, dialogue, HOUR_MS, MORNING, sessionOf, turnOf } from './archive-fixture.ts';

export function describeFigures(open: ArchiveFactory): void {
  describe('figures', () => {
    it('the figures of an empty archive are zeros', async () => {
      const { archive, stop } = await open();
      expect(await archive.of('').figures({})).toEqual({
        sessions: 0,
        turns: 0,
        turnsPerSession: 0,
        abandoned: 0,
        byHour: Array.from({ length: 24 }, () => 0),
        byEndReason: {},
        secondTurns: [],
        revisionRate: 0,
        promptTokens: 0,
        completionTokens: 0,
        totalMsP50: null,
        totalMsP99: null,
        simulatedAnswers: 0,
      });
      await stop();
    });

    it('the figures of an archive are those that a person would count', async () => {
      const { archive, stop } = await open();
      // 09:00, abandoned after one turn.
      await archive.store(sessionOf({ createdAt: MORNING, turns: [turnOf({ totalMs: 100 })] }));
      // 10:00, the second answer repeats the first in other spaces and case: no revision.
      await archive.store(
        sessionOf({
          createdAt: MORNING + HOUR_MS,
          endReason: 'idle',
          lines: dialogue(['pain', 'Give  Aspirin.', 'What about the dose?', 'give aspirin.']),
          turns: [turnOf({ totalMs: 200.5, promptTokens: 1_000 }), turnOf({ totalMs: 300 })],
        }),
      );
      // 10:30, the third answer differs from the first: a revision.
      await archive.store(
        sessionOf({
          createdAt: MORNING + 1.5 * HOUR_MS,
          endReason: 'idle',
          lines: dialogue([
            'pain',
            'Aspirin 0.5 g',
            'WHAT about, the... allergy',
            'Aspirin 0.5 g',
            'and?',
            'Aspirin 5 g',
          ]),
          turns: [
            turnOf({ totalMs: 400 }),
            turnOf({ totalMs: null, outcome: 'cancelled' }),
            turnOf({ totalMs: 5_000 }),
          ],
        }),
      );
      // The next day at 00:00, one more second question.
      const midnight = MORNING + 15 * HOUR_MS;
      await archive.store(
        sessionOf({
          createdAt: midnight,
          endReason: 'absolute',
          lines: dialogue(['pain', 'a', 'Diabetes!', 'b']),
        }),
      );
      const byHour = (counts: Readonly<Record<number, number>>) =>
        Array.from({ length: 24 }, (_, hour) => counts[hour] ?? 0);

      expect(await archive.of('').figures({})).toEqual({
        sessions: 4,
        turns: 8,
        turnsPerSession: 2,
        abandoned: 1,
        byHour: byHour({ 0: 1, 9: 1, 10: 2 }),
        byEndReason: { closed: 1, idle: 2, absolute: 1 },
        secondTurns: [
          { pattern: 'what about the', count: 2 },
          { pattern: 'diabetes', count: 1 },
        ],
        revisionRate: 2 / 3,
        promptTokens: 1_500,
        completionTokens: 120,
        totalMsP50: 300,
        totalMsP99: 5_000,
        simulatedAnswers: 0,
      });
      // Without the first and the last: the range excludes `to`.
      expect(await archive.of('').figures({ from: MORNING + 1, to: midnight })).toEqual({
        sessions: 2,
        turns: 5,
        turnsPerSession: 2.5,
        abandoned: 0,
        byHour: byHour({ 10: 2 }),
        byEndReason: { idle: 2 },
        secondTurns: [{ pattern: 'what about the', count: 2 }],
        revisionRate: 1 / 2,
        promptTokens: 1_400,
        completionTokens: 100,
        totalMsP50: 300,
        totalMsP99: 5_000,
        simulatedAnswers: 0,
      });
      await stop();
    });
  });
}
