import { defineConfig } from 'vitest/config';
import { asShipped } from './vitest.shipped.ts';

const tenMinutesMs = 600_000;

export default defineConfig({
  test: {
    ...asShipped,
    include: ['test/{fault,simulation}/**/*.test.ts'],
    exclude: ['dist*/**', 'node_modules/**'],
    reporters: ['default', './scripts/security/recorder.ts'],
    pool: 'forks',
    // These tests kill processes and measure time: two at once on a small machine starve each other.
    fileParallelism: false,
    testTimeout: tenMinutesMs,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 15_000 } },
  },
});
