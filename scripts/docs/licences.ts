import { isPermissive, packagesOf } from '../packages.mjs';
import { table } from './markdown.ts';

const HEAD = `# Licences of the dependencies

<!-- Written by \`npm run docs\` from package-lock.json. -->

Packages that run with the service, and their licences. The build copies files of swagger-ui-dist for the page \`/docs\`.
The build tools and tests have other licences; they are not part of it.
\`npm run sbom\` writes all of them, with checksums, to \`dist/sbom.cdx.json\` (CycloneDX 1.5). The lock file lists native
binaries only for some platforms: uWebSockets.js and libsql have further ones, under the licence of their package.
`;

export function licencesDocument(): string {
  const running = packagesOf().filter(({ isShipped }) => isShipped);
  const rows = running.map(({ name, version, licence }) => [name, version, licence]);
  return `${HEAD}\n${table(['package', 'version', 'licence'], rows)}\n`;
}

/** A package that runs with the service must not bind those who pass the service on. */
export function licenceFaults(): readonly string[] {
  return packagesOf()
    .filter(({ isShipped, licence }) => isShipped && !isPermissive(licence))
    .map(
      ({ name, version, licence }) =>
        `${name}@${version} has the licence ${licence}: review it, and add it to scripts/packages.mjs`,
    );
}
