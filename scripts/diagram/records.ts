// Reads what the repository records of the chart: its versions, the golden snapshots, the changelog.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readSnapshot } from '../../src/session/machine/snapshot.ts';
import { currentChart } from './chart.ts';
import type { Description } from './describe.ts';

import { byVersion, type Papers, versionOf } from './papers.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const VERSIONS = 'docs/diagrams/versions';
const GOLDENS = 'test/golden';

export const recordOf = (chart: Description): string =>
  join(root, VERSIONS, `session-${versionOf(chart)}.json`);

export function storedPapers(): Papers {
  const recorded = readdirSync(join(root, VERSIONS)).map((file): [string, Description] => {
    const chart = parse(readFileSync(join(root, VERSIONS, file), 'utf8'), file);
    return [versionOf(chart), chart];
  });
  const goldens = readdirSync(join(root, GOLDENS)).map((file): [string, string] => [
    file,
    readFileSync(join(root, GOLDENS, file), 'utf8'),
  ]);
  return {
    recorded: new Map(recorded),
    changelog: readFileSync(join(root, 'CHANGELOG.md'), 'utf8'),
    goldens: new Map(goldens),
    open: (golden) => {
      const opened = readSnapshot(golden);
      if (opened.kind === 'opened') return opened.snapshot;
      return opened.kind === 'newer' ? `it is of version ${opened.version}` : opened.reason;
    },
  };
}

/** The recorded version before this chart's. */
export function previousChart(chart: Description): Description {
  const { recorded } = storedPapers();
  const older = [...recorded.keys()].filter((version) => byVersion(version, versionOf(chart)) < 0);
  const last = older.toSorted(byVersion).at(-1);
  return (last === undefined ? undefined : recorded.get(last)) ?? chart;
}

/** A chart by a word: `current`, a recorded version such as `4` or `4.1`, a file, or a revision of git. */
export function chartNamed(word: string): Description {
  if (word === 'current') return currentChart();
  const version = /^\d+(\.\d+)?$/.test(word) ? (word.includes('.') ? word : `${word}.0`) : null;
  if (version !== null) {
    const file = join(root, VERSIONS, `session-${version}.json`);
    if (existsSync(file)) return parse(readFileSync(file, 'utf8'), file);
  }
  if (existsSync(word)) return parse(readFileSync(word, 'utf8'), word);
  const name = `${word}:docs/diagrams/session.json`;
  return parse(execFileSync('git', ['show', name], { cwd: root, encoding: 'utf8' }), name);
}

function parse(text: string, name: string): Description {
  const chart = JSON.parse(text) as Partial<Description>;
  if (!Array.isArray(chart.states) || !Array.isArray(chart.transitions))
    throw new Error(`${name} is no description of a chart`);
  return chart as Description;
}
