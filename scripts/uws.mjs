// node scripts/uws.mjs verify|record|compare FOLDER
//
// Compares the installed packages of uWebSockets.js with the hashes of uws-hashes.json, before any process loads them: a
// third party repackages the binaries, and the lock file has a checksum only for the platforms that npm saw when it
// wrote the file (docs/adr/0001-uwebsockets-from-npm.md).
//
// `record` downloads the packages of every platform with npm and writes the table. `compare` names the recorded file that
// each binary in a folder equals: a checkout of an official tag of uNetworking/uWebSockets.js.
//
// It imports only Node's built-ins: scripts/run.mjs runs it on a fresh clone.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** @typedef {Readonly<Record<string, string>>} Hashes SHA-256 in hex by file */
/** @typedef {{ wrong: string[], unknown: string[] }} Findings */

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TABLE = fileURLToPath(new URL('uws-hashes.json', import.meta.url));
const ALIASES = ['uws-node20', 'uws-node22'];
/** Files that no process executes. */
const INERT = /^(LICENSE|README\.md|.*\.d\.ts)$/;

/** @returns {Readonly<Record<string, Hashes>>} by `name@version` */
export function recordedHashes() {
  return JSON.parse(readFileSync(TABLE, 'utf8'));
}

/**
 * @param {string} folder of a package
 * @returns {Hashes} of every file that a process may execute, and of package.json, which names the one to start with
 */
export function hashesOf(folder) {
  const names = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.name !== 'node_modules' && !INERT.test(entry.name))
    .map(({ name }) => name)
    .sort();
  return Object.fromEntries(names.map((name) => [name, hashOf(join(folder, name))]));
}

/**
 * @param {string} root of the installation
 * @returns {Findings} `wrong`: a line for each file that differs; `unknown`: packages without a recorded hash
 */
export function findingsIn(root, recorded = recordedHashes()) {
  /** @type {Findings} */
  const findings = { wrong: [], unknown: [] };
  for (const folder of installedIn(root)) {
    const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const known = recorded[`${name}@${version}`];
    if (known === undefined) {
      findings.unknown.push(`${name}@${version}`);
      continue;
    }
    const found = hashesOf(folder);
    for (const file of new Set([...Object.keys(known), ...Object.keys(found)])) {
      if (known[file] !== found[file]) findings.wrong.push(`${name}@${version} ${file}`);
    }
  }
  return findings;
}

/**
 * Prints what is wrong.
 * @returns {number} an exit code
 */
export function verifyUws(root = ROOT) {
  const { wrong, unknown } = findingsIn(root);
  for (const name of unknown)
    console.error(`rehydra: uWebSockets.js: no hash is recorded for ${name} (docs/adr/0001)`);
  if (wrong.length === 0) return 0;
  console.error(
    `rehydra: uWebSockets.js is not what was recorded: ${wrong.join(', ')}. Remove node_modules and install again`,
  );
  return 1;
}

/** @param {string} root @returns {string[]} the folders of the packages that bring uWebSockets.js */
function installedIn(root) {
  const modules = join(root, 'node_modules');
  const aliases = ALIASES.map((name) => join(modules, name)).filter(existsSync);
  const scopes = [modules, ...aliases.map((folder) => join(folder, 'node_modules'))]
    .map((folder) => join(folder, '@uwsjs'))
    .filter(existsSync);
  return [...aliases, ...scopes.flatMap((scope) => readdirSync(scope).map((name) => join(scope, name)))];
}

/** @param {string} file */
function hashOf(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/** Downloads every package and writes the table; packages that the registry does not have keep their entry, if any. */
function record() {
  /** @type {Record<string, Hashes>} */
  const table = { ...recordedHashes() };
  const aliases = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).optionalDependencies;
  for (const alias of ALIASES) {
    const core = aliases[alias].replace(/^npm:/, '');
    const parts = recordOne(core, table);
    for (const [name, version] of Object.entries(parts)) recordOne(`${name}@${version}`, table);
  }
  const sorted = Object.fromEntries(Object.entries(table).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(TABLE, `${JSON.stringify(sorted, null, 2)}\n`);
}

/**
 * @param {string} spec
 * @param {Record<string, Hashes>} table
 * @returns {Readonly<Record<string, string>>} the packages of its platforms
 */
function recordOne(spec, table) {
  const folder = mkdtempSync(join(tmpdir(), 'rehydra-uws-'));
  try {
    const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', folder, spec], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    execFileSync('tar', ['-xzf', join(folder, packed.trim()), '-C', folder]);
    table[spec] = hashesOf(join(folder, 'package'));
    console.log(`recorded ${spec}`);
    return (
      JSON.parse(readFileSync(join(folder, 'package', 'package.json'), 'utf8')).optionalDependencies ?? {}
    );
  } catch {
    console.log(`the registry does not have ${spec}`);
    return {};
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @param {string} folder */
function compare(folder) {
  const known = new Map(
    Object.entries(recordedHashes()).flatMap(([name, files]) =>
      Object.entries(files).map(([file, hash]) => [hash, `${name} ${file}`]),
    ),
  );
  let differ = 0;
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.node'))) {
    const equal = known.get(hashOf(join(folder, file)));
    if (equal === undefined) differ += 1;
    console.log(`${file}: ${equal ?? 'equals no recorded file'}`);
  }
  return differ === 0 ? 0 : 1;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [action, folder] = process.argv.slice(2);
  if (action === 'verify') process.exitCode = verifyUws();
  else if (action === 'record') record();
  else if (action === 'compare' && folder !== undefined) process.exitCode = compare(folder);
  else {
    console.error('usage: node scripts/uws.mjs verify|record|compare FOLDER');
    process.exitCode = 2;
  }
}
