import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';

const FOLDER = resolve('dist/node_modules');
const names = readdirSync(FOLDER);
const manifestOf = (folder: string) =>
  JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')) as { readonly version: string };

test('the build bundles packages', () => {
  expect(names.length).toBeGreaterThan(0);
});

test.each(names)('the bundled %s exports what the installed one exports', async (name) => {
  const bundled = (await import(`${FOLDER}/${name}/index.js`)) as object;
  const installed = (await import(name)) as object;
  expect(Object.keys(bundled).sort()).toEqual(Object.keys(installed).sort());
  expect(manifestOf(`${FOLDER}/${name}`).version).toBe(manifestOf(`node_modules/${name}`).version);
});
