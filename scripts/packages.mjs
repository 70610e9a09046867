// Lists the packages of package-lock.json, for the list of licences and the bill of materials.

import { readFileSync } from 'node:fs';

/**
 * @typedef {{ name: string, version: string, licence: string, integrity: string | null, isDev: boolean,
 *   isShipped: boolean, isOptional: boolean, hasInstallScript: boolean }} Package
 * @typedef {{ version?: string, name?: string, license?: string, integrity?: string, dev?: boolean,
 *   optional?: boolean, devOptional?: boolean, hasInstallScript?: boolean }} Entry
 */

/** Licences that let an operator run, change and pass on the service without a further agreement. */
const PERMISSIVE = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'ISC',
  'MIT',
]);

/** Development packages of which the build copies files into `dist`. */
const COPIED = new Set(['swagger-ui-dist']);

/** @returns {readonly Package[]} each name and version once, sorted */
export function packagesOf(lock = readLock()) {
  /** @type {Map<string, Package>} */
  const found = new Map();
  for (const [path, entry] of Object.entries(lock.packages)) {
    if (path === '') continue;
    const name = entry.name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    const version = entry.version ?? '';
    const one = {
      name,
      version,
      licence: entry.license ?? 'unknown',
      integrity: entry.integrity ?? null,
      isDev: entry.dev === true || entry.devOptional === true,
      isOptional: entry.optional === true,
      hasInstallScript: entry.hasInstallScript === true,
    };
    const known = found.get(`${name}@${version}`);
    const isDev = one.isDev && known?.isDev !== false;
    found.set(`${name}@${version}`, { ...one, isDev, isShipped: !isDev || COPIED.has(name) });
  }
  return [...found.values()].sort((a, b) => order(a, b));
}

/** @param {Package} a @param {Package} b */
function order(a, b) {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return a.version < b.version ? -1 : 1;
}

/** @param {string} licence @returns {boolean} of `A OR B` one part suffices, of `A AND B` all must be permissive */
export function isPermissive(licence) {
  const plain = licence.replaceAll(/[()]/g, '');
  return plain.split(' OR ').some((choice) => choice.split(' AND ').every((one) => PERMISSIVE.has(one)));
}

/** @returns {{ packages: Readonly<Record<string, Entry>> }} */
function readLock() {
  return JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8'));
}
