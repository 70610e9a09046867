// loadUws loads uWebSockets.js. No single build covers every supported Node, so npm installs two, and this file loads the
// first whose binary fits the process (docs/adr/0001-uwebsockets-from-npm.md).

import { startFailure } from '../startup/start-failure.ts';

/** The types of the older build: Node 20 has nothing beyond them. */
export type Uws = typeof import('uws-node20');

export interface UwsBuild {
  readonly name: string;
  readonly load: () => Promise<Uws>;
}

const builds: readonly UwsBuild[] = [
  { name: 'uws-node22', load: () => import('uws-node22') },
  { name: 'uws-node20', load: () => import('uws-node20') },
];

export interface Host {
  readonly node: string;
  readonly platform: string;
  readonly arch: string;
  /** Undefined if the C library isn't glibc. */
  readonly glibc: string | undefined;
}

/**
 * Bytes of a request's head. uWebSockets.js takes 4 KiB unless its environment names another bound before it is loaded; a
 * token of an identity provider may have 8 KiB.
 */
const HEAD_MAX_BYTES = 16 * 1024;

export async function loadUws(candidates = builds, describeHost: () => Host = thisHost): Promise<Uws> {
  process.env.UWS_HTTP_MAX_HEADERS_SIZE = String(HEAD_MAX_BYTES);
  const failures: unknown[] = [];
  for (const build of candidates) {
    try {
      return await build.load();
    } catch (error) {
      failures.push(error);
    }
  }
  throw startFailure(nothingFits(describeHost(), candidates), failures);
}

function nothingFits(host: Host, candidates: readonly UwsBuild[]): string {
  const libc =
    host.platform === 'linux' ? `, ${host.glibc === undefined ? 'no glibc' : `glibc ${host.glibc}`}` : '';
  const names = candidates.map((build) => build.name).join(' and ');
  return (
    `uWebSockets.js has no binary for Node ${host.node} on ${host.platform} ${host.arch}${libc} (tried ${names}): ` +
    remedy(host)
  );
}

// scripts/system.mjs has the same list, and refuses before the installation; a test compares the two.
function remedy({ node, platform, arch, glibc }: Host): string {
  const major = Number.parseInt(node, 10);
  const isLinux = platform === 'linux';
  if (isLinux && glibc === undefined) {
    return 'use a glibc system such as Debian or Ubuntu, musl is not supported';
  }
  if (!BINARIES.includes(`${platform} ${arch}`)) return `use one of ${BINARIES.join(', ')}`;
  if (![20, 22, 23, 24, 26].includes(major)) return 'use Node 20, 22, 23, 24 or 26';
  if (arch === 'arm' && major >= 24) return 'use Node 20, 22 or 23';
  if (isLinux && isOlder(glibc, 2, 27))
    return 'use a system with glibc 2.38 or later (Debian 13, Ubuntu 24.04)';
  if (isLinux && major >= 24 && isOlder(glibc, 2, 38)) {
    return 'use a system with glibc 2.38 or later (Debian 13, Ubuntu 24.04), or Node 20 or 22';
  }
  return 'run `npm install` with this Node and without --omit=optional';
}

const BINARIES = ['linux x64', 'linux arm64', 'linux arm', 'darwin x64', 'darwin arm64', 'win32 x64'];

function isOlder(version: string | undefined, major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = (version ?? '').split('.').map(Number);
  return ownMajor < major || (ownMajor === major && ownMinor < minor);
}

function thisHost(): Host {
  return {
    node: process.versions.node,
    platform: process.platform,
    arch: process.arch,
    glibc: glibcVersion(),
  };
}

function glibcVersion(): string | undefined {
  const report: unknown = process.report.getReport();
  if (typeof report !== 'object' || report === null || !('header' in report)) return undefined;
  const { header } = report;
  if (typeof header !== 'object' || header === null || !('glibcVersionRuntime' in header)) return undefined;
  return typeof header.glibcVersionRuntime === 'string' ? header.glibcVersionRuntime : undefined;
}
