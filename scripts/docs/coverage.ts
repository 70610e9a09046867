import { existsSync, readFileSync, statSync } from 'node:fs';
import type { Row } from './coverage/section.ts';
import { type Seed, seeds } from './coverage-table.ts';
import { table } from './table.ts';

/** A requirement cannot point to what is gone. */
function place(path: string): string {
  if (!existsSync(path)) throw new Error(`docs/COVERAGE.md: ${path} does not exist`);
  return `[${path}](../${path}${statSync(path).isDirectory() ? '/' : ''})`;
}

function test([path, name]: readonly [string, string]): string {
  if (!existsSync(path)) throw new Error(`docs/COVERAGE.md: ${path} does not exist`);
  const lines = readFileSync(path, 'utf8').split('\n');
  if (!lines.some((line) => line.includes(name) && !/^\s*(\/\/|\*)/.test(line)))
    throw new Error(`docs/COVERAGE.md: ${path} has no test named: ${name}`);
  return `[${path.replace('test/', '')}](../${path}): ${name}`;
}

function cells({ asks, where, shownBy, note }: Row): readonly string[] {
  if (shownBy.length === 0 && note === undefined)
    throw new Error(`docs/COVERAGE.md: nothing shows "${asks}", and no note says why`);
  const shown = [...shownBy.map(test), ...(note === undefined ? [] : [`*${note}*`])];
  return [asks, where.map(place).join('<br>'), shown.join('<br>')];
}

function chapter({ title, sections }: Seed): string {
  const parts = sections.map(
    (one) => `### ${one.title}\n\n${table(['asked', 'where it is', 'shown by'], one.rows.map(cells))}`,
  );
  return `## ${title}\n\n${parts.join('\n\n')}`;
}

export function coverageDocument(): string {
  const rows = seeds.flatMap(({ sections }) => sections.flatMap((section) => section.rows));
  const unshown = rows.filter(({ shownBy }) => shownBy.length === 0);
  return `# What was asked, and where it is

Every requirement and scenario of the three seed documents. This page is generated from
[scripts/docs/coverage-table.ts](../scripts/docs/coverage-table.ts) (\`npm run docs\`), which fails when a file or a test
named here is gone. ${rows.length} rows; ${rows.length - unshown.length} are shown by tests, the other ${unshown.length} say why not, in italics. The guide is
written for Python and FastAPI: what counts is what it wants, not its class names.

${seeds.map(chapter).join('\n\n')}
`;
}
