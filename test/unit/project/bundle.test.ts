import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';

test('the build makes one file for each program, and few shared chunks', () => {
  const programs = ['main', 'simulator', 'chat', 'migrate', 'audit', 'keys', 'api-key', 'replay'].map(
    (name) => `${name}.js`,
  );
  const modules = readdirSync(resolve('dist')).filter((name) => name.endsWith('.js'));
  expect(modules).toEqual(expect.arrayContaining(programs));
  expect(modules.length - programs.length).toBeLessThan(20);
});
