import { defineConfig } from 'vitest/config';
import { asShipped } from './vitest.shipped.ts';

export default defineConfig({
  test: {
    // Without this the compiled copies of the sources are collected as well.
    exclude: ['dist*/**', 'node_modules/**'],
    reporters: ['default'],
    pool: 'forks',
    maxWorkers: 2,
    // Bounds on waiting, for a machine that has other things to do; what fails by them hangs.
    testTimeout: 90_000,
    hookTimeout: 90_000,
    expect: { poll: { timeout: 15_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'all',
          include: ['test/{unit,property,conformance,integration,security,e2e}/**/*.test.ts'],
        },
      },
      {
        extends: true,
        test: {
          ...asShipped,
          name: 'as shipped',
          include: ['test/property/{step,actor}*.test.ts', 'test/unit/{machine,envelope}*.test.ts'],
        },
      },
    ],
  },
});
