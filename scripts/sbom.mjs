// node scripts/sbom.mjs: writes the bill of materials, CycloneDX 1.5, to dist/sbom.cdx.json.
//
// It reads package-lock.json, and of uWebSockets.js also the packages of platforms that the lock file does not list. The
// same sources always give the same file: it holds no date and no random number.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { packagesOf } from './packages.mjs';
import { recordedHashes } from './uws.mjs';

export function sbomOf(packages = packagesOf(), recorded = recordedHashes()) {
  const { name, version, description } = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  );
  const listed = new Set(packages.map((one) => `${one.name}@${one.version}`));
  const others = Object.keys(recorded)
    .filter((spec) => !listed.has(spec))
    .map((spec) => {
      const at = spec.lastIndexOf('@');
      return component({ name: spec.slice(0, at), version: spec.slice(at + 1), scope: 'optional' });
    });
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: {
      component: { type: 'application', 'bom-ref': `${name}@${version}`, name, version, description },
    },
    components: [
      ...packages.map((one) => ({
        ...component({
          ...one,
          scope: !one.isShipped ? 'excluded' : one.isOptional ? 'optional' : 'required',
        }),
        licenses: [{ expression: one.licence }],
        ...(one.integrity === null ? {} : { hashes: one.integrity.split(' ').map(hash) }),
      })),
      ...others,
    ],
  };
}

/** @param {{ name: string, version: string, scope: string }} one */
function component({ name, version, scope }) {
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  return { type: 'library', 'bom-ref': `${name}@${version}`, name, version, scope, purl };
}

/** @param {string} integrity such as `sha512-` and base64 */
function hash(integrity) {
  const [kind = '', base64 = ''] = integrity.split(/-(.*)/s);
  return { alg: kind.replace('sha', 'SHA-'), content: Buffer.from(base64, 'base64').toString('hex') };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const target = fileURLToPath(new URL('../dist/sbom.cdx.json', import.meta.url));
  mkdirSync(new URL('../dist', import.meta.url), { recursive: true });
  writeFileSync(target, `${JSON.stringify(sbomOf(), null, 2)}\n`);
  console.log(target);
}
