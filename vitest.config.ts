import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { ShortFilesLast } from './vitest.order.ts';
import { asShipped } from './vitest.shipped.ts';

const stories = ['test/property/{step,actor}*.test.ts'];

export default defineConfig({
  test: {
    // Without this the compiled copies of the sources are collected as well.
    exclude: ['dist*/**', 'node_modules/**'],
    reporters: ['default', './scripts/security/recorder.ts'],
    pool: 'forks',
    // A process runs many files and loads what they share once: loading it for each took half of the unit tests' time.
    isolate: false,
    // Tests with real processes mostly wait for them: more workers than cores keep the cores busy.
    maxWorkers: Math.min(8, 2 * availableParallelism()),
    sequence: { sequencer: ShortFilesLast },
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
          // Thousands of generated stories run once, against the xstate that ships.
          exclude: ['dist*/**', 'node_modules/**', ...stories],
        },
      },
      {
        extends: true,
        test: {
          ...asShipped,
          name: 'as shipped',
          include: [...stories, 'test/unit/machine/*.test.ts'],
        },
      },
    ],
  },
});
