import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';

test('the build makes one file for each program, and few shared chunks', () => {
  const modules = readdirSync(resolve('dist')).filter((name) => name.endsWith('.js'));
  expect(modules).toEqual(
    expect.arrayContaining([
      'main.js',
      'simulator.js',
      'chat.js',
      'migrate.js',
      'audit.js',
      'keys.js',
      'api-key.js',
    ]),
  );
  expect(modules.length).toBeLessThan(24);
});
