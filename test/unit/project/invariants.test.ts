/** Invariants have names that grep finds: `WRITER-1` heads one line of one file, and every mention names such a line. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const DEFINITION = /^ *\*\s+([A-Z][A-Z-]*)-(\d+) {2}/gm;

const sources = execFileSync('git', ['ls-files', 'src', 'machines', 'test', 'scripts', 'bench'], {
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => /\.(ts|mjs|lua)$/.test(file))
  .map((file) => ({ file, text: readFileSync(file, 'utf8') }));

const definitions = sources.flatMap(({ file, text }) =>
  [...text.matchAll(DEFINITION)].map(([, prefix = '', number = '']) => ({ file, prefix, number })),
);

const prefixes = [...new Set(definitions.map(({ prefix }) => prefix))];
const definedAs = (prefix: string) => definitions.filter((one) => one.prefix === prefix);

test('each prefix of an invariant belongs to one file', () => {
  const files = prefixes.map((prefix) => [prefix, ...new Set(definedAs(prefix).map(({ file }) => file))]);
  expect(files.filter(({ length }) => length > 2)).toEqual([]);
});

test('the invariants of a file are numbered 1, 2, 3 …', () => {
  const numbers = prefixes.map((prefix) => [
    prefix,
    ...definedAs(prefix).map(({ number }) => Number(number)),
  ]);
  expect(numbers.filter(([, ...places]) => places.some((number, index) => number !== index + 1))).toEqual([]);
});

test('every mention of an invariant names one that exists', () => {
  const known = new Set(definitions.map(({ prefix, number }) => `${prefix}-${number}`));
  const mention = new RegExp(`\\b(?:${prefixes.join('|')})-\\d+\\b`, 'g');
  const unknown = sources.flatMap(({ file, text }) =>
    [...text.matchAll(mention)].flatMap(([name]) => (known.has(name) ? [] : [`${file}: ${name}`])),
  );
  expect(unknown).toEqual([]);
});

test('no invariant has a name of one letter, which grep cannot find', () => {
  const short = sources.flatMap(({ file, text }) =>
    [...text.matchAll(/^ *\*\s+([A-Z]\d+) {2}\S/gm)].map(([, name]) => `${file}: ${name}`),
  );
  expect(short).toEqual([]);
});
