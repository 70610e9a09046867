// npm run diagram [-- --check | export FOLDER | diff FROM TO [--out FILE]]
//
// Draws the session machine into docs/diagrams, writes docs/STATECHART.md, and records the chart of a new version.
// --check writes nothing and exits with 1 if a file is stale, if a changed chart lacks its papers, or if the tests of the
// machine (test/support/machine/chart-coverage.ts) miss a state or a transition.
// export writes the files of docs/diagrams to another folder.
// diff compares two charts: it prints a table, and writes a picture to statechart-diff.svg or FILE. FROM and TO are each
// `current`, a version such as `4` or `4.1`, a file like docs/diagrams/session.json, or a revision of git.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { coveredByTests } from '../test/support/machine/chart-coverage.ts';
import { currentChart, sourcesOf } from './diagram/chart.ts';
import { uncovered } from './diagram/coverage.ts';
import { diffTable, drawDiff } from './diagram/diff.ts';
import { chartFiles } from './diagram/files.ts';
import { missingPapers } from './diagram/papers.ts';
import { chartNamed, recordOf, storedPapers } from './diagram/records.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const [command, ...args] = process.argv.slice(2);

switch (command) {
  case '--check':
    process.exitCode = await check();
    break;
  case 'export':
    await exportTo(args[0] ?? '.');
    break;
  case 'diff':
    await diff();
    break;
  case undefined:
    for (const [path, content] of Object.entries(await chartFiles()))
      writeFileSync(join(root, path), content);
    record();
    break;
  default:
    console.error(`unknown: ${command}; see the head of scripts/diagram.ts`);
    process.exitCode = 2;
}

async function check(): Promise<number> {
  const files = await chartFiles();
  const stale = Object.keys(files).filter((path) => stored(path) !== files[path]);
  for (const path of stale) console.log(`${path} is stale; refresh it with: npm run diagram`);
  const missing = [
    ...missingPapers(currentChart(), storedPapers()),
    ...uncovered(currentChart(), coveredByTests()).map((id) => `no test of the machine takes ${id}`),
  ];
  for (const fault of missing) console.log(fault);
  return stale.length + missing.length > 0 ? 1 : 0;
}

/** A recorded version never changes: a stored snapshot may be of it. */
function record(): void {
  const chart = currentChart();
  const file = recordOf(chart);
  if (!existsSync(file)) writeFileSync(file, `${JSON.stringify(chart, null, 2)}\n`);
}

async function diff(): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { out: { type: 'string', default: 'statechart-diff.svg' } },
  });
  const [from = 'HEAD', to = 'current'] = positionals;
  const before = chartNamed(from);
  const after = chartNamed(to);
  writeFileSync(values.out, await drawDiff(before, sourcesOf(after)));
  console.log(diffTable(before, after));
}

async function exportTo(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const [path, content] of Object.entries(await chartFiles())) {
    if (!path.startsWith('docs/diagrams/')) continue;
    writeFileSync(join(folder, basename(path)), content);
    console.log(join(folder, basename(path)));
  }
}

function stored(path: string): string | null {
  try {
    // A checkout on Windows may have changed the line ends.
    return readFileSync(join(root, path), 'utf8').replaceAll('\r\n', '\n');
  } catch {
    return null;
  }
}
