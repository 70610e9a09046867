// Attacks running instances, and prints each row of docs/THREATS.md with the tests that show it. It fails if a row lacks
// a test that passed, or if a test failed or was skipped. Files whose results lie in TEST_RESULTS_DIR do not run again.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runChild } from './child.mjs';
import { threatFaults } from './docs/threats/faults.ts';
import { runnerOf, type ThreatRow } from './docs/threats/row.ts';
import { strangerRows } from './docs/threats/stranger-rows.ts';
import { threatRows } from './docs/threats/table.ts';
import { readResults } from './security/results.ts';
import { verdictOf } from './security/verdict.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const isFault = (file: string) => /^test\/(fault|simulation)\//.test(file);

process.exitCode = await main();

async function main(): Promise<number> {
  const faults = threatFaults();
  for (const fault of faults) console.error(fault);

  const given = process.env.TEST_RESULTS_DIR ?? '';
  const folder = given === '' ? mkdtempSync(join(tmpdir(), 'rehydra-results-')) : given;
  try {
    process.env.TEST_RESULTS_DIR = folder;
    const ok = await runMissing(folder);
    return report(folder) && ok && faults.length === 0 ? 0 : 1;
  } finally {
    if (given === '') rmSync(folder, { recursive: true, force: true });
  }
}

/** Every file that a row quotes, and every attack. */
function wantedFiles(): readonly string[] {
  const quoted = [...threatRows, ...strangerRows].flatMap(({ shownBy }) => shownBy.map(runnerOf));
  const attacks = readdirSync(join(root, 'test/security'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => `test/security/${name}`);
  return [...new Set([...quoted, ...attacks])].sort();
}

async function runMissing(folder: string): Promise<boolean> {
  const known = new Set(readResults(folder).map(({ file }) => file));
  const missing = wantedFiles().filter((file) => !known.has(file));
  const runs = [
    ['vitest.config.ts', missing.filter((file) => !isFault(file))],
    ['vitest.fault.config.ts', missing.filter(isFault)],
  ] as const;
  let ok = true;
  for (const [config, files] of runs) {
    if (files.length === 0) continue;
    if ((await runChild(root, ['vitest', 'run', '--config', config, ...files])) !== 0) ok = false;
  }
  return ok;
}

/** Prints the rows, and returns whether all of them hold and no test of their files failed or was skipped. */
function report(folder: string): boolean {
  const wanted = wantedFiles();
  const results = readResults(folder).filter(({ file }) => wanted.includes(file));
  const held = [
    section('What must hold', threatRows),
    section('What a stranger could do before', strangerRows),
  ];
  const bad = results.flatMap(({ file, passed, tests }) => [
    ...(passed ? [] : [`${file} failed`]),
    ...tests
      .filter(({ state }) => state !== 'passed')
      .map(({ title, state }) => `${file}: ${state}: ${title}`),
  ]);
  for (const line of new Set(bad)) console.log(line);
  console.log(`\n${wanted.length} test files, ${results.flatMap(({ tests }) => tests).length} tests`);
  return held.every((all) => all) && bad.length === 0;

  function section(title: string, rows: readonly ThreatRow[]): boolean {
    const verdicts = rows.map((row) => verdictOf(row, results));
    console.log(`\n${title}`);
    for (const { row, passed, tests } of verdicts) {
      console.log(`\n${row.id.padEnd(4)} ${passed ? 'pass' : 'FAIL'}  ${row.demand}`);
      for (const { quoted, word, cases } of tests)
        console.log(
          `     ${word === 'passed' ? '✓' : word} ${quoted[1]}${cases > 1 ? ` (${cases} cases)` : ''}`,
        );
    }
    const passed = verdicts.filter((verdict) => verdict.passed).length;
    console.log(`\n${passed} of ${rows.length} rows pass`);
    return passed === rows.length;
  }
}
