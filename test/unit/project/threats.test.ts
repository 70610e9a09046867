/** The rows of THREATS: what counts as a row that passes. */
import { describe, expect, it } from 'vitest';
import { threatFaults } from '../../../scripts/docs/threats/faults.ts';
import type { ThreatRow } from '../../../scripts/docs/threats/row.ts';
import type { FileResult } from '../../../scripts/security/results.ts';
import { patternOf, verdictOf } from '../../../scripts/security/verdict.ts';

const FILE = 'test/security/some.test.ts';
const row: ThreatRow = {
  id: 'S1',
  demand: 'Something holds.',
  enforcedBy: [],
  shownBy: [
    [FILE, 'a door is closed to %s'],
    ['test/security/suite.ts', 'a window is closed', FILE],
  ],
};

const resultsOf = (...tests: FileResult['tests']): readonly FileResult[] => [
  { file: FILE, passed: true, tests },
];
const passed = (title: string) => ({ title, state: 'passed' }) as const;
const ann = passed('a door is closed to ann');
const bob = passed('a door is closed to bob');
const window = passed('a window is closed');

describe('a row of THREATS', () => {
  it('a row passes if every case of every quoted test passed', () => {
    expect(verdictOf(row, resultsOf(ann, bob, window)).passed).toBe(true);
  });

  it.each([
    ['one case failed', resultsOf(ann, { ...bob, state: 'failed' }, window)],
    ['one case was skipped', resultsOf(ann, { ...bob, state: 'skipped' }, window)],
    ['one case never ran', resultsOf(ann, { ...bob, state: 'pending' }, window)],
    ['a quoted test is absent', resultsOf(ann, bob)],
    ['a test of that title ran in another file', [{ file: 'other', passed: true, tests: [ann, window] }]],
    ['nothing ran', []],
  ] as const)('a row fails if %s', (_, results) => {
    expect(verdictOf(row, results).passed).toBe(false);
  });

  it('a row without a test fails', () => {
    expect(verdictOf({ ...row, shownBy: [] }, resultsOf(ann, bob, window)).passed).toBe(false);
  });

  it.each([
    ['a door is closed to %s', 'a door is closed to ann'],
    ['$frame gets $word', "'hello' gets 'welcome'"],
    [['the clock is set $', '{direction}'].join(''), 'the clock is set back'],
    ['costs 1 $ (really?)', 'costs 1 $ (really?)'],
  ])('the quoted title "%s" stands for the test "%s", and for none with more words', (title, name) => {
    expect(name).toMatch(patternOf(title));
    expect(`before ${name}`).not.toMatch(/^\$|^%/.test(title) ? /^never$/ : patternOf(title));
  });

  it('every row of THREATS names files and tests that exist', () => {
    expect(threatFaults()).toEqual([]);
  });
});
