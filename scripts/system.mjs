// Knows which systems can run Rehydra: those for which a package has a binary of uWebSockets.js.
//
// It imports only Node's built-ins, because scripts/run.mjs asks it before installing anything. src/transport/uws.ts
// loads the builds of this table, and a test compares the table with the packages.

/**
 * @typedef {{ node: string, platform: string, arch: string, glibc: string | undefined }} Host
 *   `glibc` is undefined with another C library, such as musl.
 * @typedef {{ name: string, majors: readonly number[], glibc: string, systems: readonly string[] }} UwsBuild
 */

/** @type {readonly UwsBuild[]} In the order in which src/transport/uws.ts tries them. */
export const uwsBuilds = [
  {
    name: 'uws-node22',
    majors: [22, 24, 26],
    glibc: '2.38',
    systems: ['linux x64', 'linux arm64', 'darwin x64', 'darwin arm64', 'win32 x64'],
  },
  {
    name: 'uws-node20',
    majors: [20, 22, 23],
    glibc: '2.27',
    systems: ['linux x64', 'linux arm64', 'linux arm', 'darwin x64', 'darwin arm64', 'win32 x64'],
  },
];

const OLDEST_NODE = '20.19';
const NODES = '20.19 or later, 22, 23, 24 or 26';

/** @param {Host} host @returns {UwsBuild | null} the build of uWebSockets.js that this host loads */
export function buildFor(host) {
  return uwsBuilds.find((build) => fitsNode(build, host) && fitsSystem(build, host)) ?? null;
}

/** @param {Host} host @returns {string | null} why this host cannot run Rehydra, in one line, or null if it can */
export function refusalOf(host) {
  const { node, platform, arch, glibc } = host;
  if (isOlder(node, OLDEST_NODE)) return `Node ${node} is too old: use Node ${NODES}`;
  if (buildFor(host) !== null) return null;

  if (platform === 'linux' && glibc === undefined)
    return 'this Linux has no glibc (Alpine has musl): use a glibc system such as Debian or Ubuntu';
  const here = uwsBuilds.filter(({ systems }) => systems.includes(`${platform} ${arch}`));
  if (here.length === 0) {
    const known = uwsBuilds[1].systems.join(', ');
    return `uWebSockets.js has no binary for ${platform} ${arch}: use one of ${known}`;
  }
  const fitting = here.filter((build) => fitsNode(build, host));
  if (fitting.length === 0) {
    const majors = new Set(here.flatMap((build) => build.majors));
    return `Node ${node} has no binary of uWebSockets.js for ${platform} ${arch}: use Node ${listed(majors)}`;
  }
  const needed = fitting.at(-1)?.glibc ?? '';
  const others = here.filter((build) => !isOlder(glibc ?? '', build.glibc)).flatMap(({ majors }) => majors);
  const instead = others.length === 0 ? '' : `, or Node ${listed(new Set(others))}`;
  return `Node ${node} needs glibc ${needed} or later, this system has ${glibc}: use ${newer(needed)}${instead}`;
}

/** @returns {Host} */
export function thisHost() {
  const { platform, arch, versions } = process;
  return { node: versions.node, platform, arch, glibc: platform === 'linux' ? glibcVersion() : undefined };
}

function glibcVersion() {
  // Otherwise the report resolves the name of every network interface, which can take seconds.
  process.report.excludeNetwork = true;
  const report = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (process.report.getReport());
  return report.header.glibcVersionRuntime;
}

/** @param {UwsBuild} build @param {Host} host */
function fitsNode(build, host) {
  return build.majors.includes(Number.parseInt(host.node, 10));
}

/** @param {UwsBuild} build @param {Host} host */
function fitsSystem(build, { platform, arch, glibc }) {
  if (!build.systems.includes(`${platform} ${arch}`)) return false;
  return platform !== 'linux' || (glibc !== undefined && !isOlder(glibc, build.glibc));
}

/** @param {string} glibc */
function newer(glibc) {
  return glibc === '2.38' ? 'Debian 13, Ubuntu 24.04 or later' : 'a newer system';
}

/** @param {ReadonlySet<number>} majors */
function listed(majors) {
  const names = [...majors].sort((a, b) => a - b).map(String);
  return names.length === 1 ? names[0] : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}

/** @param {string} version @param {string} than */
function isOlder(version, than) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = than.split('.').map(Number);
  return major < wantedMajor || (major === wantedMajor && minor < wantedMinor);
}
