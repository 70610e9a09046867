// Builds dist/package: what a user of `rehydra/client`, `rehydra/ai` and `rehydra/react` installs. One file of code for
// each, and declarations that need neither zod nor the types of Node.

import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runChild } from '../child.mjs';
import { wireTypes } from './wire-types.mjs';

const source = 'src/client/package';
/** The first is part of the others' imports, and must exist once: they share its classes. */
const entries = ['client', 'ai', 'react'];

/**
 * @param {string} root
 * @param {string} compiled the folder of tsc's output
 * @param {string} target
 * @returns {Promise<number>} an exit code
 */
export async function buildPackage(root, compiled, target) {
  await bundleEntries(join(compiled, source), target);
  const declared = join(target, 'declared');
  const tsc = ['tsc', '-p', join(root, 'tsconfig.package.json'), '--outDir', declared];
  const code = await runChild(root, tsc, ['ignore', 2, 2]);
  if (code !== 0) return code;
  const types = join(target, 'types');
  mkdirSync(types);
  copyDeclarations(declared, types);
  rmSync(declared, { recursive: true });
  writeFileSync(join(types, 'wire.d.ts'), await wireDeclarations(compiled));
  writeFileSync(join(target, 'package.json'), `${JSON.stringify(manifest(root), null, 2)}\n`);
  const page = join(root, 'docs', 'CLIENT.md');
  // An image is built without the documents.
  if (existsSync(page)) copyFileSync(page, join(target, 'README.md'));
  return 0;
}

/** @param {string} folder @param {string} target */
async function bundleEntries(folder, target) {
  // Not at the top: run.mjs imports this file before esbuild is installed.
  const { build } = await import('esbuild');
  const shared = {
    name: 'one client',
    /** @param {import('esbuild').PluginBuild} plugin */
    setup: ({ onResolve }) =>
      onResolve({ filter: /^\.\/client\.js$/ }, ({ path, kind }) =>
        kind === 'entry-point' ? null : { path, external: true },
      ),
  };
  await build({
    absWorkingDir: folder,
    entryPoints: entries.map((name) => `${name}.js`),
    outdir: target,
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
    external: ['react'],
    plugins: [shared],
    logLevel: 'warning',
  });
}

/**
 * Copies the declarations that the entries reach into one folder.
 * @param {string} declared
 * @param {string} types
 */
function copyDeclarations(declared, types) {
  const waiting = entries.map((name) => join(declared, source, `${name}.d.ts`));
  /** @type {Map<string, string>} */
  const copied = new Map();
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const name = basename(path);
    const former = copied.get(name);
    if (former === path || name === 'wire.d.ts') continue;
    if (former !== undefined) throw new Error(`the package has two declarations ${name}`);
    copied.set(name, path);
    const folder = dirname(path);
    const text = readFileSync(path, 'utf8').replace(/(['"])(\.[^'"]*)\.ts\1/g, (_, quote, local) => {
      waiting.push(resolve(folder, `${local}.d.ts`));
      return `${quote}./${basename(local)}.js${quote}`;
    });
    writeFileSync(join(types, name), text);
  }
}

/** @param {string} compiled */
async function wireDeclarations(compiled) {
  /** @param {string} path */
  const load = (path) => import(pathToFileURL(join(compiled, path)).href);
  const { z } = await import('zod');
  const { cancelReasonSchema, overlapPolicySchema, topStateSchema } = await load('machines/vocabulary.js');
  const { clientFrameSchema } = await load('src/protocol/client-frames.js');
  const { durableFrameSchema, transientFrameSchema } = await load('src/protocol/server-frames.js');
  return `${wireTypes(z, {
    CancelReason: cancelReasonSchema,
    OverlapPolicy: overlapPolicySchema,
    TopState: topStateSchema,
    ClientFrame: clientFrameSchema,
    DurableFrame: durableFrameSchema,
    TransientFrame: transientFrameSchema,
  })}export type HelloFrame = Extract<ClientFrame, { type: 'hello' }>;
export type MessageFrame = Extract<ClientFrame, { type: 'message' }>;
export type RegenerateFrame = Extract<ClientFrame, { type: 'regenerate' }>;
export type ForkFrame = Extract<ClientFrame, { type: 'fork' }>;
export type ServerFrame = DurableFrame | TransientFrame;
`;
}

/** The package has no dependencies; those in the repository's package.json are the server's. @param {string} root */
function manifest(root) {
  const {
    name,
    version,
    private: isPrivate,
    license,
  } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return {
    name,
    version,
    private: isPrivate,
    description: 'A client for Rehydra: conversations that survive a lost connection and a dead server.',
    license,
    type: 'module',
    sideEffects: false,
    engines: { node: '>=20' },
    exports: Object.fromEntries(
      entries.map((entry) => [`./${entry}`, { types: `./types/${entry}.d.ts`, default: `./${entry}.js` }]),
    ),
    peerDependencies: { react: '>=18' },
    peerDependenciesMeta: { react: { optional: true } },
  };
}
