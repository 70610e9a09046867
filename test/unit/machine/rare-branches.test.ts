/** The branches of the chart that a walk over its graph and random lives hardly take: what each does. */
import { describe, expect, test } from 'vitest';
import { tookIn } from '../../support/machine/chart-coverage.ts';
import { playScenes } from '../../support/machine/rare-scenes.ts';

describe.each(playScenes())('$takes', ({ promise, takes, session, effects, expected, rests }) => {
  test(`${promise}`, () => {
    expect(effects).toEqual(expect.arrayContaining([...expected]));
    if (expected.length === 0 || expected.some(({ type }) => type === 'refused'))
      expect(effects).toHaveLength(expected.length);
    expect(Object.entries(session.state.snapshot.value).flat().join('.')).toBe(rests);
  });

  test(`the last event of this scene takes its branch: ${promise}`, () => {
    expect(tookIn(session.made.slice(-1))).toContain(takes);
  });
});
