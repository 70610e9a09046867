import { type QuotedTest, runnerOf, type ThreatRow } from '../docs/threats/row.ts';
import type { FileResult } from './results.ts';

export interface RowVerdict {
  readonly row: ThreatRow;
  /** Every quoted test ran, and none failed or was skipped. */
  readonly passed: boolean;
  readonly tests: readonly TestVerdict[];
}

interface TestVerdict {
  readonly quoted: QuotedTest;
  readonly word: 'passed' | 'FAILED' | 'SKIPPED' | 'NOT RUN';
  /** The number of cases under the title. */
  readonly cases: number;
}

export function verdictOf(row: ThreatRow, results: readonly FileResult[]): RowVerdict {
  const tests = row.shownBy.map((quoted) => testVerdict(quoted, results));
  return { row, tests, passed: tests.length > 0 && tests.every(({ word }) => word === 'passed') };
}

function testVerdict(quoted: QuotedTest, results: readonly FileResult[]): TestVerdict {
  const pattern = patternOf(quoted[1]);
  const states = results
    .filter(({ file }) => file === runnerOf(quoted))
    .flatMap(({ tests }) => tests)
    .filter(({ title }) => pattern.test(title))
    .map(({ state }) => state);
  return { quoted, word: wordOf(states), cases: states.length };
}

function wordOf(states: readonly string[]): TestVerdict['word'] {
  if (states.length === 0) return 'NOT RUN';
  if (states.includes('failed')) return 'FAILED';
  return states.every((state) => state === 'passed') ? 'passed' : 'SKIPPED';
}

/** The names that the cases of a title may have: any value stands for `%s`, `$name` and `${expression}`. */
export function patternOf(title: string): RegExp {
  const parts = title.split(/%[sdifjo#$]|\$\{[^}]*\}|\$[a-zA-Z][\w.]*/);
  const escaped = parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${escaped.join('[^]*')}$`);
}
