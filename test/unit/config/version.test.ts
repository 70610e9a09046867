import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { commit, version } from '../../../src/startup/version.ts';

it('the version of a build is the one in package.json', () => {
  const manifest: { version: string } = JSON.parse(readFileSync('package.json', 'utf8'));
  expect(version).toBe(manifest.version);
});

it('sources that run uncompiled name no commit', () => {
  expect(commit).toBe('unknown');
});
