// The programs with the packages that they import: a dozen files instead of a thousand. Half of the processor time of
// a start went into finding, reading and linking those.

import { readFileSync } from 'node:fs';
import { relative, sep } from 'node:path';

const programs = {
  main: 'src/main.js',
  simulator: 'src/simulator/main.js',
  chat: 'src/client/chat.js',
  migrate: 'src/migration/main.js',
};

/** Packages with native parts, and those that look for files beside their own. */
const external = ['libsql', 'uws-node20', 'uws-node22', 'pg-native', 'pino', 'pino-pretty', 'chart.js'];

/** Packages in CommonJS ask for Node's modules by `require`, which an ES module does not have. */
const banner = `import { createRequire as makeRequire } from 'node:module';
const require = makeRequire(import.meta.url);`;

/**
 * @param {string} compiled what tsc has made of the sources
 * @param {string} target where each program becomes one file, beside the chunks that they share
 */
export async function bundlePrograms(compiled, target) {
  // Not at the top: run.mjs imports this file before anything is installed.
  const { build } = await import('esbuild');
  await build({
    absWorkingDir: compiled,
    entryPoints: programs,
    outdir: target,
    bundle: true,
    // What a program imports dynamically stays apart: it takes signals before it loads the rest.
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: true,
    sourcesContent: false,
    external,
    banner: { js: banner },
    plugins: [ownAddresses(compiled)],
    logLevel: 'warning',
  });
}

/**
 * Modules read files beside themselves by `import.meta.url`, which in a bundle is the address of the bundle.
 * @param {string} compiled
 * @returns {import('esbuild').Plugin}
 */
function ownAddresses(compiled) {
  return {
    name: 'own addresses',
    setup({ onLoad }) {
      onLoad({ filter: /\.js$/ }, ({ path }) => {
        const place = relative(compiled, path).split(sep).join('/');
        if (place.startsWith('..')) return null;
        const source = readFileSync(path, 'utf8');
        const address = `new URL(${JSON.stringify(`./${place}`)}, import.meta.url).href`;
        return { contents: source.replaceAll('import.meta.url', address) };
      });
    },
  };
}
