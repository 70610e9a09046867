// Bundles the chat at `/` for browsers: one script and one style sheet, which the service sends as they are.

import { join } from 'node:path';

const folder = 'src/client/page';

/**
 * @param {string} root
 * @param {string} target the folder of the build
 */
export async function bundlePage(root, target) {
  // Not at the top: run.mjs imports build.mjs before esbuild is installed.
  const { build } = await import('esbuild');
  await build({
    absWorkingDir: join(root, folder),
    // The two are `chat.js` and `chat.css`.
    entryPoints: [
      { in: 'main.ts', out: 'chat' },
      { in: 'chat.css', out: 'chat' },
    ],
    outdir: join(target, folder),
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    logLevel: 'warning',
  });
}
