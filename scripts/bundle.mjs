// Packages that come as hundreds of small files, as one file each in dist/node_modules, where the compiled code finds
// them first. A start spends a third of its processor time on reading and linking those files otherwise.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Only packages of ES modules without native parts, of which src imports nothing but the entry point. */
const packages = ['kysely', 'openai', 'zod'];

/** @param {string} root @param {string} target */
export async function bundlePackages(root, target) {
  // Not at the top: run.mjs imports this file before anything is installed.
  const { build } = await import('esbuild');
  for (const name of packages) {
    const folder = join(target, 'node_modules', name);
    mkdirSync(folder, { recursive: true });
    await build({
      entryPoints: [fileURLToPath(import.meta.resolve(name))],
      outfile: join(folder, 'index.js'),
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      // Optional peers of openai, which only its helpers for them need.
      external: ['ws', ...packages.filter((other) => other !== name)],
      logLevel: 'warning',
    });
    const { version } = JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8'));
    const manifest = { name, version, type: 'module', exports: './index.js' };
    writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest)}\n`);
  }
}
