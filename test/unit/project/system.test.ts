import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { buildFor, refusalOf, thisHost, uwsBuilds } from '../../../scripts/system.mjs';
import { type Host, loadUws } from '../../../src/transport/uws.ts';

const debian12: Host = { node: '20.20.2', platform: 'linux', arch: 'x64', glibc: '2.36' };
const debian13: Host = { ...debian12, glibc: '2.41' };
const alpine: Host = { ...debian12, glibc: undefined };
const mac: Host = { ...debian12, platform: 'darwin', arch: 'arm64', glibc: undefined };

const NODES = [
  '18.20.8',
  '20.18.0',
  '20.19.0',
  '21.7.3',
  '22.14.0',
  '23.11.1',
  '24.1.0',
  '25.0.0',
  '26.0.0',
  '27.0.0',
];
const grid: readonly Host[] = NODES.flatMap((node) => [
  ...['linux', 'darwin', 'win32', 'freebsd'].flatMap((platform) =>
    ['x64', 'arm64', 'arm', 's390x'].map((arch) => ({ ...debian13, node, platform, arch })),
  ),
  ...['2.26', '2.28', '2.36', '2.38', undefined].map((glibc) => ({ ...debian13, node, glibc })),
]);

/** Runs `scripts/run.mjs` in a process that takes itself for another Node. */
function startOn(node: string) {
  const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${node}' } })`;
  const preload = `data:text/javascript,${encodeURIComponent(pretend)}`;
  const command = ['--import', preload, 'scripts/run.mjs', 'install', '--', 'node', '--version'];
  return spawnSync(process.execPath, command, { encoding: 'utf8' });
}

describe('the systems that can run Rehydra', () => {
  it.each([
    [debian12, '20.19.0', 'uws-node20'],
    [debian12, '22.14.0', 'uws-node20'],
    [debian12, '23.11.1', 'uws-node20'],
    [debian12, '24.1.0', null],
    [debian13, '20.19.0', 'uws-node20'],
    [debian13, '22.14.0', 'uws-node22'],
    [debian13, '24.1.0', 'uws-node22'],
    [debian13, '26.0.0', 'uws-node22'],
    [debian13, '21.7.3', null],
    [debian13, '25.0.0', null],
    [debian13, '27.0.0', null],
    [alpine, '22.14.0', null],
    [mac, '24.1.0', 'uws-node22'],
    [mac, '23.11.1', 'uws-node20'],
  ])('the system check finds the build for $platform with glibc $glibc and each Node', (host, node, name) => {
    expect(buildFor({ ...host, node })?.name ?? null).toBe(name);
  });

  it('an unsupported system gets one line that says which system to use instead', () => {
    const refusal = (host: Host, node: string) => refusalOf({ ...host, node });
    expect(refusal(debian12, '24.1.0')).toBe(
      'Node 24.1.0 needs glibc 2.38 or later, this system has 2.36: ' +
        'use Debian 13, Ubuntu 24.04 or later, or Node 20, 22 or 23',
    );
    expect(refusal(debian12, '20.18.0')).toBe(
      'Node 20.18.0 is too old: use Node 20.19 or later, 22, 23, 24 or 26',
    );
    expect(refusal(debian13, '25.0.0')).toBe(
      'Node 25.0.0 has no binary of uWebSockets.js for linux x64: use Node 20, 22, 23, 24 or 26',
    );
    expect(refusal(alpine, '24.1.0')).toMatch(/^this Linux has no glibc \(Alpine has musl\): use .*Debian/);
    expect(refusal({ ...debian12, glibc: '2.17' }, '22.14.0')).toBe(
      'Node 22.14.0 needs glibc 2.27 or later, this system has 2.17: use a newer system',
    );
    expect(refusal({ ...debian13, arch: 's390x' }, '24.1.0')).toMatch(
      /^uWebSockets\.js has no binary for linux s390x/,
    );
    expect(refusal({ ...debian13, arch: 'arm' }, '24.1.0')).toContain('use Node 20, 22 or 23');
    for (const host of grid) expect(refusalOf(host) ?? '').not.toContain('\n');
  });

  it('the system check refuses exactly the systems that no build of uWebSockets.js fits', () => {
    for (const host of grid) {
      const isTooOld = ['18.20.8', '20.18.0'].includes(host.node);
      expect(refusalOf(host) === null, JSON.stringify(host)).toBe(!isTooOld && buildFor(host) !== null);
    }
  });

  it('the table of builds lists exactly the binaries of the installed packages', () => {
    for (const { name, majors, systems } of uwsBuilds) {
      const { optionalDependencies } = JSON.parse(
        readFileSync(`node_modules/${name}/package.json`, 'utf8'),
      ) as { readonly optionalDependencies: Readonly<Record<string, string>> };
      const published = Object.keys(optionalDependencies).filter((binary) => !binary.endsWith('-18'));
      const named = systems.flatMap((system) =>
        majors.map((major) => `@uwsjs/${system.replace(' ', '-')}-${major}`),
      );
      expect(named.sort()).toEqual(published.sort());
    }
  });

  it('a server that finds no binary asks for an install, unless its system has none', async () => {
    const missing = { name: 'none', load: () => Promise.reject(new Error('no binary')) };
    for (const host of grid.filter(({ node }) => node !== '18.20.8' && node !== '20.18.0')) {
      const failure: unknown = await loadUws([missing], () => host).catch((error: unknown) => error);
      const asksToInstall = (failure as Error).message.includes('run `npm install`');
      expect(asksToInstall, JSON.stringify(host)).toBe(refusalOf(host) === null);
    }
  });

  it('the build that the table names for this system loads', async () => {
    expect(refusalOf(thisHost())).toBeNull();
    expect(readdirSync('node_modules')).toContain(buildFor(thisHost())?.name);
    expect((await loadUws()).App).toBeTypeOf('function');
  });

  it('a start on an unsupported system ends before it installs or runs anything', () => {
    const { status, stdout, stderr } = startOn('25.0.0');
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^rehydra: Node 25\.0\.0 has no binary of uWebSockets\.js for .*\n$/);
    expect(startOn(process.versions.node)).toMatchObject({ status: 0, stdout: `${process.version}\n` });
  });
});
