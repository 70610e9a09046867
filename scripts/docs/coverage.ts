// Checks docs/COVERAGE.md, which is written by hand: a requirement must not point to a file or a test that is gone.
import { existsSync, readFileSync } from 'node:fs';

const page = 'docs/COVERAGE.md';
const head = '| asked | where it is | shown by |';
const counts = /(\d+) requirements: tests show (\d+),\s+the other (\d+)/;
const link = /^\[[^\]]+\]\(\.\.\/([^)]+)\)(?:: (.+))?$/;
const note = /^\*.+\*$/;

/** The faults of the page, one line each. */
export function coverageFaults(): readonly string[] {
  const text = readFileSync(page, 'utf8');
  const faults: string[] = [];
  let rows = 0;
  let shown = 0;
  for (const [index, line] of text.split('\n').entries()) {
    if (!line.startsWith('| ') || line === head || line.startsWith('| ---')) continue;
    rows += 1;
    const found = rowFaults(line);
    if (found.tests > 0) shown += 1;
    faults.push(...found.faults.map((fault) => `${page}:${index + 1} ${fault}`));
  }
  const said = counts.exec(text)?.slice(1).map(Number);
  const counted = [rows, shown, rows - shown];
  if (said?.join() !== counted.join())
    faults.push(`${page}: the introduction must count ${counted.join(', ')}, not ${said?.join(', ')}`);
  return faults;
}

function rowFaults(line: string): { readonly tests: number; readonly faults: readonly string[] } {
  const cells = line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '').split('<br>'));
  const [, where, shownBy] = cells;
  if (where === undefined || shownBy === undefined || cells.length !== 3)
    return { tests: 0, faults: ['a row has three cells'] };
  const tests = shownBy.filter((entry) => !note.test(entry));
  const faults = [...where.map(fileFault), ...tests.map(testFault)].filter((fault) => fault !== null);
  return { tests: tests.length, faults };
}

function fileFault(entry: string): string | null {
  const [, path, name] = link.exec(entry) ?? [];
  if (path === undefined || name !== undefined) return `not a link to a file: "${entry}"`;
  return existsSync(path) ? null : `${path} does not exist`;
}

/** Searches the quoted words as they are: they may be a part of the title, and the title may be a template. */
function testFault(entry: string): string | null {
  const [, path, name] = link.exec(entry) ?? [];
  if (path === undefined || name === undefined) return `neither a test nor a note in italics: "${entry}"`;
  if (!existsSync(path)) return `${path} does not exist`;
  const lines = readFileSync(path, 'utf8').split('\n');
  const titled = lines.some((line) => line.includes(name) && !/^\s*(\/\/|\*)/.test(line));
  return titled ? null : `${path} has no test named: ${name}`;
}
