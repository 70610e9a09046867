/** What an installation may run and load, and what it consists of. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { isPermissive, packagesOf } from '../../../scripts/packages.mjs';
import { sbomOf } from '../../../scripts/sbom.mjs';
import { findingsIn, recordedHashes } from '../../../scripts/uws.mjs';

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const root = new URL('../../..', import.meta.url).pathname;

/** A copy of the installed uWebSockets.js in a folder of its own. */
function installed(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rehydra-uws-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const name of ['uws-node20', 'uws-node22', '@uwsjs'])
    cpSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), { recursive: true });
  return folder;
}

test('no package runs a script at its installation, and each one that has such a script is named in package.json', () => {
  const { allowScripts } = JSON.parse(read('package.json')) as { allowScripts: Record<string, boolean> };
  const withScript = packagesOf().filter((one) => one.hasInstallScript);
  expect(Object.keys(allowScripts).sort()).toEqual(withScript.map(({ name }) => name).sort());
  expect(Object.values(allowScripts)).not.toContain(true);
  expect(read('.npmrc')).toMatch(/^ignore-scripts=true$/m);
  expect(read('scripts/run.mjs')).toContain("'--ignore-scripts'");
  for (const line of read('Dockerfile').match(/npm install.*/g) ?? [])
    if (!line.includes('`')) expect(line).toContain('--ignore-scripts');
});

test('every file of the installed uWebSockets.js has the hash that was recorded', () => {
  const { wrong, unknown } = findingsIn(root);
  expect(wrong).toEqual([]);
  // The table has the platforms whose packages could be downloaded when it was written.
  if (`${process.platform} ${process.arch}` === 'linux x64') expect(unknown).toEqual([]);
});

test('every binary of uWebSockets.js that the lock file lists has a recorded hash', () => {
  const listed = packagesOf().filter(({ name }) => name.startsWith('@uwsjs/'));
  expect(listed.length).toBeGreaterThan(2);
  for (const { name, version } of listed) {
    const files = Object.keys(recordedHashes()[`${name}@${version}`] ?? {});
    expect(files, name).toContain(name === '@uwsjs/core' ? 'uws.js' : 'uws.node');
  }
});

test('a changed binary, a changed script and an added file of uWebSockets.js are each found by name', () => {
  const folder = installed();
  const [name = ''] = Object.keys(recordedHashes()).filter((spec) => spec.startsWith('@uwsjs/core@20.51'));
  const wrapper = join(folder, 'node_modules', 'uws-node20', 'ESM_wrapper.mjs');
  writeFileSync(wrapper, `${readFileSync(wrapper, 'utf8')}\n`);
  writeFileSync(join(folder, 'node_modules', 'uws-node20', 'added.js'), '');
  expect(findingsIn(folder)).toEqual({ wrong: [`${name} ESM_wrapper.mjs`, `${name} added.js`], unknown: [] });
});

test('a binary of uWebSockets.js without a recorded hash is named', () => {
  expect(findingsIn(installed(), {}).unknown).toContain('@uwsjs/core@20.51.4');
});

test('every package that runs with the service has a permissive licence', () => {
  const others = packagesOf().filter(({ isShipped, licence }) => isShipped && !isPermissive(licence));
  expect(others).toEqual([]);
  expect(['MIT OR GPL-3.0', 'Apache-2.0 AND MIT', 'MIT'].every(isPermissive)).toBe(true);
  expect(['MIT AND GPL-3.0', 'unknown', 'MPL-2.0'].some(isPermissive)).toBe(false);
});

test('the bill of materials lists every package of the lock file once, with licence, address and checksum', () => {
  const { bomFormat, specVersion, components } = sbomOf();
  expect({ bomFormat, specVersion }).toEqual({ bomFormat: 'CycloneDX', specVersion: '1.5' });
  const references = components.map((one) => one['bom-ref']);
  expect(new Set(references).size).toBe(references.length);
  for (const { name, version } of packagesOf()) expect(references).toContain(`${name}@${version}`);
  expect(components).toContainEqual(
    expect.objectContaining({
      name: 'ioredis',
      scope: 'required',
      purl: expect.stringMatching(/^pkg:npm\/ioredis@/),
      licenses: [{ expression: 'MIT' }],
      hashes: [{ alg: 'SHA-512', content: expect.stringMatching(/^[0-9a-f]{128}$/) }],
    }),
  );
  expect(JSON.stringify(sbomOf())).toBe(JSON.stringify(sbomOf()));
});
