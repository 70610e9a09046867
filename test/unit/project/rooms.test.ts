import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { cruise, type ICruiseOptions, type ICruiseResult } from 'dependency-cruiser';
import { expect, onTestFinished, test } from 'vitest';
import config, { rooms } from '../../../.dependency-cruiser.mjs';

/** What the check says of a tree with these files. */
async function faultsOf(files: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'rehydra-rooms-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'), 'junction');
  for (const [path, source] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), source);
  }
  const { options, ...ruleSet } = config;
  const roots = [...new Set(Object.keys(files).map((path) => path.split('/')[0] ?? ''))];
  const how: ICruiseOptions = { ...options, baseDir: folder, validate: true, ruleSet };
  const { output } = await cruise(roots, how);
  return (output as ICruiseResult).summary.violations.map(
    ({ from, to, rule }) => `${from} → ${to}: ${rule.name}`,
  );
}

const contract = { 'src/store/contract.ts': 'export interface Store { readonly a: 1 }' };
const actor = {
  'src/session/actor/actor.ts': 'export interface Actor { readonly b: 2 }\nexport const actor = 1;',
};

test('an import from a lower room, or from the same room, passes the import check', async () => {
  const faults = await faultsOf({
    ...contract,
    ...actor,
    'src/main.ts':
      "import process from 'node:process';\nimport './session/actor/actor.ts';\nexport { process };",
    'src/session/actor/load.ts':
      "import { actor } from './actor.ts';\nimport type { Store } from '../../store/contract.ts';\nexport { actor, type Store };",
  });
  expect(faults).toEqual([]);
});

test.each([
  ['a value', "import { actor } from '../session/actor/actor.ts';\nexport const copy = actor;"],
  ['a type', "import type { Actor } from '../session/actor/actor.ts';\nexport type Copy = Actor;"],
  [
    'a type among values',
    "import { type Actor } from '../session/actor/actor.ts';\nexport type Copy = Actor;",
  ],
  ['a re-export', "export { actor } from '../session/actor/actor.ts';"],
  ['a re-export of a type', "export type { Actor } from '../session/actor/actor.ts';"],
  ['a re-export of everything', "export * from '../session/actor/actor.ts';"],
  ['a dynamic import', "export const later = () => import('../session/actor/actor.ts');"],
  ['an import for its side effect', "import '../session/actor/actor.ts';"],
])('the import check refuses %s from a higher room', async (_, source) => {
  expect(await faultsOf({ ...actor, 'src/store/log.ts': source })).toEqual([
    'src/store/log.ts → src/session/actor/actor.ts: src/store imports from above',
  ]);
});

test('the import check refuses a circle of files that only import types', async () => {
  const faults = await faultsOf({
    'src/store/a.ts': "import type { B } from './b.ts';\nexport interface A { readonly b: B }",
    'src/store/b.ts': "import type { C } from './c.ts';\nexport interface B { readonly c: C }",
    'src/store/c.ts': "import type { A } from './a.ts';\nexport interface C { readonly a: A }",
  });
  expect(new Set(faults)).toEqual(new Set(['src/store/a.ts → src/store/b.ts: files form a circle']));
});

test('the import check lets the machines import xstate, zod and each other, and refuses all else', async () => {
  const faults = await faultsOf({
    'src/clock.ts': 'export const clock = 1;',
    'machines/turn.ts': 'export const turn = 1;',
    'machines/session.ts': [
      "import { setup } from 'xstate';",
      "import { z } from 'zod';",
      "import { turn } from './turn.ts';",
      "import { randomUUID } from 'node:crypto';",
      "import { pino } from 'pino';",
      "import { clock } from '../src/clock.ts';",
      'export const all = [setup, z, turn, randomUUID, pino, clock];',
    ].join('\n'),
  });
  const refused = 'machines import more than xstate and zod';
  expect(faults).toEqual([
    expect.stringMatching(/^machines\/session\.ts → .*node_modules\/pino\/.*: machines import more/),
    `machines/session.ts → crypto: ${refused}`,
    `machines/session.ts → src/clock.ts: ${refused}`,
  ]);
});

test('the import check refuses a folder that the list of rooms does not name', async () => {
  const faults = await faultsOf({ ...contract, 'src/utils/a.ts': "import '../store/contract.ts';" });
  expect(faults).toEqual(['src/utils/a.ts → src/store/contract.ts: a room is not in the list']);
});

test('the import check refuses an import of test code', async () => {
  const faults = await faultsOf({
    'test/support/clock.ts': 'export const clock = 1;',
    'src/main.ts': "import '../test/support/clock.ts';",
  });
  expect(faults).toEqual([
    'src/main.ts → test/support/clock.ts: the service imports a file that is not part of it',
  ]);
});

test('CONTRIBUTING.md describes every folder of src', () => {
  const described = readFileSync('CONTRIBUTING.md', 'utf8').match(/(?<=^\| `)src\/[a-z]+(?=` +\|)/gm) ?? [];
  const folders = readdirSync('src', { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `src/${name}`);
  expect(described.toSorted()).toEqual(folders.toSorted());
});

test('every room of the import check exists', () => {
  expect(rooms.filter((room) => !existsSync(room))).toEqual([]);
});

test('no file names a type by `import()`, which the import check does not see', () => {
  const files = ['src', 'machines'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  );
  const sources = files.filter((file) => file.endsWith('.ts')).map((file) => readFileSync(file, 'utf8'));
  expect(sources.join('\n')).not.toMatch(/(?<!await )\bimport\(['"]\.|typeof import\(['"]\./);
});
