import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/{unit,property,conformance,integration,security,e2e}/**/*.test.ts'],
    // Without this the compiled copies of the sources are collected as well.
    exclude: ['dist*/**', 'node_modules/**'],
    reporters: ['default'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
