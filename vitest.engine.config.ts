import { defineConfig } from 'vitest/config';

const tenMinutesMs = 600_000;

/** Runs against a real model server: `npm run test:engine` says which, and `npm test` leaves these tests out. */
export default defineConfig({
  test: {
    include: ['test/engine/**/*.test.ts'],
    exclude: ['dist*/**', 'node_modules/**'],
    reporters: ['verbose', './test/engine/report.ts'],
    globalSetup: ['test/engine/setup.ts'],
    pool: 'forks',
    fileParallelism: false,
    // A model on two cores says a few tokens a second, and a server with a model takes minutes to start.
    testTimeout: tenMinutesMs,
    hookTimeout: tenMinutesMs,
    expect: { poll: { timeout: 60_000 } },
  },
});
