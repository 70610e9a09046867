// node scripts/run.mjs [--quiet] install|build [-- CMD ARGS…]
//
// Installs the dependencies, for `build` also compiles dist, then runs CMD.
// It imports only Node's built-ins: a fresh clone has nothing else yet.
//
// The scripts of package.json start it with `exec`: npm signals the shell that it started, and without `exec` that shell
// would die and leave the server running.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureBuilt } from './build.mjs';
import { runChild } from './child.mjs';
import { withLock } from './lock.mjs';
import { refusalOf, thisHost } from './system.mjs';
import { verifyUws } from './uws.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const stateDir = join(root, 'node_modules', '.rehydra');
const installStamp = join(stateDir, 'installed');

process.exitCode = await main(process.argv.slice(2));

/** @param {string[]} argv @returns {Promise<number>} */
async function main(argv) {
  const refusal = refusalOf(thisHost());
  if (refusal !== null) {
    console.error(`rehydra: ${refusal}`);
    return 1;
  }

  const separator = argv.indexOf('--');
  const own = separator === -1 ? argv : argv.slice(0, separator);
  const command = separator === -1 ? [] : argv.slice(separator + 1);
  const quiet = own.includes('--quiet');
  const [step, ...rest] = own.filter((word) => word !== '--quiet');
  if ((step !== 'install' && step !== 'build') || rest.length > 0) {
    console.error('usage: node scripts/run.mjs [--quiet] install|build [-- CMD ARGS…]');
    return 2;
  }

  const installed = await ensureInstalled(quiet);
  if (installed !== 0) return installed;
  // On every start: node_modules may have changed since the installation.
  const verified = verifyUws(root);
  if (verified !== 0) return verified;
  const built = step === 'build' ? await ensureBuilt({ quiet }) : 0;
  if (built !== 0) return built;
  return command.length > 0 ? runChild(root, command) : 0;
}

/** @param {boolean} quiet @returns {Promise<number>} */
async function ensureInstalled(quiet) {
  if (isInstalled()) return 0;
  mkdirSync(stateDir, { recursive: true });
  return withLock(join(stateDir, 'install.lock'), async () => {
    if (isInstalled()) return 0;
    if (!quiet) console.error('rehydra: installing dependencies…');
    // --include=dev: with NODE_ENV=production npm would leave out the compiler that the next step needs.
    // --no-save: each version of npm formats the lock file differently, and a start must leave the tree clean.
    // --ignore-scripts: no dependency needs an install script, and a foreign one could do anything.
    const include = ['--include=dev', '--include=optional'];
    const flags = ['--no-audit', '--no-fund', '--no-save', '--ignore-scripts', ...include, '--prefix', root];
    const code = await runChild(root, ['npm', 'install', ...flags], ['ignore', 2, 2]);
    if (code === 0) {
      mkdirSync(stateDir, { recursive: true });
      writeFileSync(installStamp, wantedHash());
    }
    return code;
  });
}

function isInstalled() {
  return existsSync(installStamp) && readFileSync(installStamp, 'utf8') === wantedHash();
}

function wantedHash() {
  const hash = createHash('sha256');
  // The native modules in node_modules fit only one Node ABI and platform.
  hash.update([process.versions.modules, process.platform, process.arch].join(' '));
  for (const name of ['package.json', 'package-lock.json']) {
    const path = join(root, name);
    hash.update(`\0${name}\0`).update(existsSync(path) ? readFileSync(path) : '');
  }
  return hash.digest('hex');
}
