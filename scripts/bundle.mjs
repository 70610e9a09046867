// Bundles each program with the packages that it imports: a dozen files instead of a thousand. A start spent half of its
// processor time on finding, reading and linking those.

import { readFileSync } from 'node:fs';
import { relative, sep } from 'node:path';

const programs = {
  main: 'src/main.js',
  simulator: 'src/simulator/main.js',
  chat: 'src/client/chat/main.js',
  migrate: 'src/migration/main.js',
  keys: 'src/keys/main.js',
  'api-key': 'src/identity/api-keys/main.js',
  audit: 'src/audit/verify/main.js',
};

/** Programs of one file, which share no chunk: those of the service need not be cut along them. */
const alone = { replay: 'src/replay/main.js' };

/** Packages with native parts, and packages that read files beside their own. */
const external = ['libsql', 'uws-node20', 'uws-node22', 'pg-native', 'pino', 'pino-pretty', 'chart.js'];

/** CommonJS packages load Node's modules by `require`, which an ES module does not have. */
const banner = `import { createRequire as makeRequire } from 'node:module';
const require = makeRequire(import.meta.url);`;

/**
 * @param {string} compiled the folder of tsc's output
 * @param {string} target the folder that gets one file for each program, and the chunks that programs share
 */
export async function bundlePrograms(compiled, target) {
  // Not at the top: run.mjs imports this file before esbuild is installed.
  const { build } = await import('esbuild');
  const settings = {
    absWorkingDir: compiled,
    outdir: target,
    bundle: true,
    format: /** @type {const} */ ('esm'),
    platform: /** @type {const} */ ('node'),
    target: 'node20',
    sourcemap: true,
    sourcesContent: false,
    external,
    banner: { js: banner },
    plugins: [keepModuleUrls(compiled)],
    logLevel: /** @type {const} */ ('warning'),
  };
  // Dynamic imports stay separate chunks: a program handles signals before it loads the rest.
  await build({ ...settings, entryPoints: programs, splitting: true });
  await build({ ...settings, entryPoints: alone });
}

/**
 * Keeps `import.meta.url` of each module: modules read files beside themselves by it, and esbuild would give them the
 * address of the bundle.
 * @param {string} compiled
 * @returns {import('esbuild').Plugin}
 */
function keepModuleUrls(compiled) {
  return {
    name: 'own addresses',
    setup({ onLoad }) {
      onLoad({ filter: /\.js$/ }, ({ path }) => {
        const local = relative(compiled, path).split(sep).join('/');
        if (local.startsWith('..')) return null;
        const source = readFileSync(path, 'utf8');
        const address = `new URL(${JSON.stringify(`./${local}`)}, import.meta.url).href`;
        return { contents: source.replaceAll('import.meta.url', address) };
      });
    },
  };
}
