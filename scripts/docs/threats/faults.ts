// Checks the rows of docs/THREATS.md: a row must not name a file or a test that is gone, and no row may lack a test.
import { existsSync, readFileSync } from 'node:fs';
import { type QuotedTest, runnerOf, type ThreatRow } from './row.ts';
import { strangerRows } from './stranger-rows.ts';
import { threatRows } from './table.ts';

const WANTED: readonly (readonly [letter: string, count: number])[] = [
  ['R', 24],
  ['S', 14],
  ['D', 11],
];

/** The faults of the rows, one line each. */
export function threatFaults(): readonly string[] {
  const wanted = WANTED.flatMap(([letter, count]) =>
    Array.from({ length: count }, (_, index) => `${letter}${index + 1}`),
  );
  const ids = threatRows.map(({ id }) => id);
  const order = ids.join() === wanted.join() ? [] : [`the rows must be ${wanted.join()}, not ${ids.join()}`];
  return [...order, ...[...threatRows, ...strangerRows].flatMap(rowFaults)].map(
    (fault) => `docs/THREATS.md: ${fault}`,
  );
}

function rowFaults({ id, enforcedBy, shownBy }: ThreatRow): readonly string[] {
  return [
    ...(shownBy.length > 0 ? [] : [`${id} has no test`]),
    ...enforcedBy.filter((path) => !existsSync(path)).map((path) => `${id}: ${path} does not exist`),
    ...shownBy.map(testFault).flatMap((fault) => (fault === null ? [] : [`${id}: ${fault}`])),
  ];
}

/** Searches the title between quotation marks, so that a part of a title does not pass for it. */
function testFault(quoted: QuotedTest): string | null {
  const [path, title] = quoted;
  const runner = runnerOf(quoted);
  if (!runner.endsWith('.test.ts')) return `${path} is no test file, and no other file is named that runs it`;
  const gone = [path, runner].find((file) => !existsSync(file));
  if (gone !== undefined) return `${gone} does not exist`;
  const text = readFileSync(path, 'utf8');
  const isThere = ["'", '"', '`'].some((mark) => text.includes(`${mark}${title}${mark}`));
  return isThere ? null : `${path} has no test named: ${title}`;
}
