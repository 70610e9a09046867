import { describe, expect, it } from 'vitest';
import { type Host, loadUws, type Uws, type UwsBuild } from '../../../src/transport/uws.ts';

const debian12: Host = { node: '24.1.0', platform: 'linux', arch: 'x64', glibc: '2.36' };

function missing(name: string): UwsBuild {
  return { name, load: () => Promise.reject(new Error(`no binary in ${name}`)) };
}

async function complaint(host: Host): Promise<string> {
  const loaded = loadUws([missing('new'), missing('old')], () => host);
  return loaded.then(
    () => 'loaded',
    (error: Error) => error.message,
  );
}

describe('uWebSockets.js', () => {
  it('the loader of uWebSockets.js finds a build for the Node that runs this test', async () => {
    const uws = await loadUws();
    expect(uws.App).toBeTypeOf('function');
    expect(uws.us_listen_socket_close).toBeTypeOf('function');
  });

  it('the loader of uWebSockets.js takes the first build that loads and does not touch the next', async () => {
    const uws = await loadUws();
    const marked: Uws = { ...uws };
    const untouched: UwsBuild = { name: 'second', load: () => Promise.reject(new Error('was touched')) };
    expect(await loadUws([{ name: 'first', load: () => Promise.resolve(marked) }, untouched])).toBe(marked);
  });

  it('the loader of uWebSockets.js tries the other build when the first has no binary', async () => {
    const uws = await loadUws();
    expect(await loadUws([missing('first'), { name: 'second', load: () => Promise.resolve(uws) }])).toBe(uws);
  });

  it('a missing uWebSockets.js fails with one line about the cause and the remedy, and keeps the causes', async () => {
    const failure = await loadUws([missing('new'), missing('old')], () => debian12).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(Error);
    const { message, cause } = failure as Error;
    expect(message).toBe(
      'uWebSockets.js has no binary for Node 24.1.0 on linux x64, glibc 2.36 (tried new and old): ' +
        'use a system with glibc 2.38 or later (Debian 13, Ubuntu 24.04), or Node 20 or 22',
    );
    expect(cause).toHaveLength(2);
  });

  it('a missing uWebSockets.js fails with the remedy for the host', async () => {
    expect(await complaint({ ...debian12, glibc: undefined })).toContain('musl is not supported');
    expect(await complaint({ ...debian12, node: '21.7.0' })).toContain('use Node 20, 22, 23, 24 or 26');
    expect(await complaint({ ...debian12, glibc: '2.41' })).toContain('npm install');
    expect(await complaint({ ...debian12, node: '22.1.0' })).toContain('npm install');
    expect(await complaint({ ...debian12, platform: 'darwin', glibc: undefined })).toContain('npm install');
  });
});
