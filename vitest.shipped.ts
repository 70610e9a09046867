/**
 * xstate as a deployed process loads it. The test runner asks packages for their development builds, and xstate has
 * one: other files than those that ship.
 */
import { fileURLToPath } from 'node:url';

export const asShipped = {
  alias: ['xstate', 'xstate/graph'].map((name) => ({
    find: new RegExp(`^${name}$`),
    replacement: fileURLToPath(import.meta.resolve(name)),
  })),
  env: { NODE_ENV: 'production' },
  setupFiles: ['test/support/as-shipped.ts'],
};
