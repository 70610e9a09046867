// Builds dist/ from machines/ and src/: compiles with tsc, bundles the programs and the
// client package, copies the files that they read.
// It builds in a folder next to dist and swaps that in, so that dist is never half a build.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bundlePrograms } from './bundle.mjs';
import { runChild } from './child.mjs';
import { withLock } from './lock.mjs';
import { buildPackage } from './package/build.mjs';
import { bundlePage } from './page.mjs';
import { verifyUws } from './uws.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const inputs = ['machines', 'src'];
const settings = [
  'tsconfig.json',
  'tsconfig.build.json',
  'tsconfig.package.json',
  'package-lock.json',
  'scripts/build.mjs',
  'scripts/bundle.mjs',
  'scripts/page.mjs',
  'scripts/package/build.mjs',
  'scripts/package/wire-types.mjs',
];
const licences = ['LICENSE', 'NOTICE', 'swagger-ui-bundle.js.LICENSE.txt'];
const buildFile = 'build.json';
const assetTypes = new Set(['.lua', '.sql', '.html', '.css', '.js', '.svg', '.txt', '.md']);
const stampName = '.source-hash';

/**
 * Builds if dist doesn't match the sources, or always with `force`.
 * @param {{ quiet?: boolean, force?: boolean }} options
 * @returns {Promise<number>} an exit code
 */
export async function ensureBuilt({ quiet = false, force = false } = {}) {
  if (!force && isFresh()) {
    stampCommit();
    return 0;
  }
  return withLock(join(root, 'node_modules', '.rehydra', 'build.lock'), async () => {
    // The process that held the lock may have built exactly this.
    if (!force && isFresh()) return 0;
    if (!quiet) console.error('rehydra: building…');
    return build();
  });
}

function isFresh() {
  try {
    return readFileSync(join(dist, stampName), 'utf8') === sourceHash();
  } catch {
    // Not built yet, or another process is swapping dist: check again under the lock.
    return false;
  }
}

function sourceHash() {
  const hash = createHash('sha256');
  for (const path of [...settings, ...inputs.flatMap(filesUnder)]) {
    const content = readFileSync(join(root, path));
    hash.update(`${path}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

/** Writes the current commit into the build: a commit that changes no source needs no new one. */
function stampCommit() {
  const path = join(dist, buildFile);
  const wanted = buildDescription();
  try {
    if (existsSync(path) && readFileSync(path, 'utf8') === wanted) return;
    const next = `${path}.${process.pid}`;
    writeFileSync(next, wanted);
    renameSync(next, path);
  } catch {
    // The tree is read-only, or another process is swapping dist: the older description stays.
  }
}

function buildDescription() {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return `${JSON.stringify({ version, commit: currentCommit() })}\n`;
}

/**
 * The commit of the tree, or `BUILD_COMMIT`, because an image is built without the repository. `-dirty` marks uncommitted
 * changes to the files that the build reads.
 * @returns {string} `unknown` outside a Git repository
 */
function currentCommit() {
  const given = process.env.BUILD_COMMIT?.trim();
  if (given) return given;
  try {
    // A copy of the tree inside another repository must not take that repository's commit.
    if (git('rev-parse', '--show-prefix') !== '') return 'unknown';
    const commit = git('rev-parse', '--short=12', 'HEAD');
    const isDirty =
      git('--no-optional-locks', 'status', '--porcelain', '--', ...settings, 'package.json', ...inputs) !==
      '';
    return isDirty ? `${commit}-dirty` : commit;
  } catch {
    return 'unknown';
  }
}

/** @param {string[]} args */
function git(...args) {
  return execFileSync('git', args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();
}

/** @param {string} folder @returns {string[]} */
function filesUnder(folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      return entry.isDirectory() ? filesUnder(path) : [path];
    });
}

async function build() {
  const verified = verifyUws(root);
  if (verified !== 0) return verified;
  // As deep as dist, because source maps hold relative paths. Git and Biome ignore only dist*.
  const next = join(root, 'dist.next');
  const old = join(root, 'dist.old');
  const compiled = join(next, 'compiled');
  const discard = () => {
    for (const path of [next, old]) rmSync(path, { recursive: true, force: true });
  };
  // A killed build may have left them behind.
  discard();
  try {
    mkdirSync(next);
    writeFileSync(join(next, '.gitignore'), '*\n');
    // Before compiling: a file saved meanwhile makes this build stale.
    const hash = sourceHash();
    // tsc reports on stdout, which belongs to the program that starts next.
    const code = await runChild(
      root,
      ['tsc', '-p', join(root, 'tsconfig.build.json'), '--outDir', compiled],
      ['ignore', 2, 2],
    );
    if (code !== 0) return code;
    copyAssets(next);
    copyReferenceLibrary(next);
    await bundlePrograms(compiled, next);
    await bundlePage(root, next);
    const packaged = await buildPackage(root, compiled, join(next, 'package'));
    if (packaged !== 0) return packaged;
    rmSync(compiled, { recursive: true });
    writeFileSync(join(next, buildFile), buildDescription());
    writeFileSync(join(next, stampName), hash);
    if (existsSync(dist)) renameSync(dist, old);
    renameSync(next, dist);
    return 0;
  } finally {
    discard();
  }
}

/** @param {string} target */
function copyAssets(target) {
  for (const path of inputs.flatMap(filesUnder).filter((file) => assetTypes.has(extname(file)))) {
    mkdirSync(dirname(join(target, path)), { recursive: true });
    copyFileSync(join(root, path), join(target, path));
  }
}

/**
 * Copies what the page `/docs` loads, and its licences: an image of the service has no development packages.
 * @param {string} target
 */
function copyReferenceLibrary(target) {
  const from = join(root, 'node_modules', 'swagger-ui-dist');
  if (!existsSync(from)) throw new Error('swagger-ui-dist is not installed; run: npm install --no-save');
  const to = join(target, 'src/http/operations/reference/swagger-ui');
  mkdirSync(to, { recursive: true });
  for (const name of ['swagger-ui-bundle.js', 'swagger-ui.css', ...licences])
    copyFileSync(join(from, name), join(to, name));
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.exitCode = await ensureBuilt({ force: true });
}
