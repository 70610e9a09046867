import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

/** Rewrites the lock file as npm 10 does, unless it is asked not to save. */
const NPM = `#!/bin/sh
case " $* " in *" --no-save "*) ;; *) echo changed > package-lock.json ;; esac
`;

test('a start that installs dependencies does not change the lock file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rehydra-install-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const name of ['scripts', 'package.json', 'package-lock.json'])
    cpSync(name, join(folder, name), { recursive: true });
  const npm = join(folder, 'npm');
  writeFileSync(npm, NPM);
  chmodSync(npm, 0o755);

  const { status, stderr } = spawnSync(process.execPath, ['scripts/run.mjs', 'install'], {
    cwd: folder,
    env: { PATH: `${folder}${delimiter}${process.env.PATH}` },
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: 'rehydra: installing dependencies…\n' });
  expect(readFileSync(join(folder, 'package-lock.json'))).toEqual(readFileSync('package-lock.json'));
});

test('the lock file pins the versions of package.json', () => {
  const wanted = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
    readonly packages: { readonly '': Manifest } & Readonly<Record<string, { readonly version?: string }>>;
  };
  const { dependencies, optionalDependencies, devDependencies } = packages[''];
  expect({ dependencies, optionalDependencies, devDependencies }).toEqual({
    dependencies: wanted.dependencies,
    optionalDependencies: wanted.optionalDependencies,
    devDependencies: wanted.devDependencies,
  });
  const every = { ...dependencies, ...optionalDependencies, ...devDependencies };
  for (const [name, version] of Object.entries(every))
    expect(packages[`node_modules/${name}`]?.version, name).toBe(version.replace(/^npm:.*@/, ''));
});
