/** A real instance serves TLS, and takes a new certificate while clients are connected and others arrive. */
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect } from 'node:tls';
import { Agent, fetch as fetchWith } from 'undici';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import type { MadeCertificate } from '../../scripts/certificate/self-signed.ts';
import { makeCertificate, writeCertificate } from '../support/certificates.ts';
import { TestClient } from '../support/instance/client.ts';
import { type Environment, type Instance, runToEnd, startInstance } from '../support/instance/instance.ts';
import { eventually } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rehydra-tls-'));
  folders.push(folder);
  return folder;
}

interface Encrypted {
  readonly instance: Instance;
  readonly folder: string;
  readonly made: MadeCertificate;
}

async function startEncrypted(more: Environment = {}, made = makeCertificate('first')): Promise<Encrypted> {
  const folder = newFolder();
  const files = writeCertificate(folder, made);
  const instance = await startInstance({
    TLS_CERT: files.cert,
    TLS_KEY: files.key,
    SIMULATOR_TOKENS: '40',
    ...more,
  });
  onTestFinished(async () => void (await instance.stop()));
  return { instance, folder, made };
}

/** The name in the certificate that a new connection gets; empty if there is no connection. */
async function nameServedAt(port: number, options: ConnectionOptions = {}): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  try {
    await once(socket, 'secureConnect');
    const name = socket.getPeerCertificate().subject.CN;
    return typeof name === 'string' ? name : '';
  } catch {
    return '';
  } finally {
    socket.destroy();
  }
}

async function statusOf(url: string, ca: string): Promise<number> {
  const dispatcher = new Agent({ connect: { ca } });
  const { status } = await fetchWith(url, { dispatcher });
  await dispatcher.destroy();
  return status;
}

const said = ({ logs }: Instance, text: string) => logs.filter((line) => line.includes(text));
const toSay = (instance: Instance, text: string, count = 1) =>
  eventually(
    text,
    () => said(instance, text).length,
    (found) => found >= count,
  );

describe('an instance with a certificate', () => {
  it('an instance with TLS_CERT and TLS_KEY serves wss and https, and its first line names the wss address', async () => {
    const { instance, made } = await startEncrypted();
    expect(instance.url).toMatch(/^wss:\/\/127\.0\.0\.1:\d+\/v1\/session$/);
    expect(said(instance, '"msg":"listening"')[0]).toContain(`npm run chat -- --url ${instance.url}`);
    expect(await statusOf(`${instance.http}/readyz`, made.cert)).toBe(200);
    const client = await TestClient.open(instance.url, ['rehydra.v1'], {}, made.cert);
    await client.hello();
    client.message('m', 'chest pain');
    expect((await client.completed('m')).type).toBe('turn.completed');
    await client.close();
  });

  it('an instance with TLS refuses TLS 1.1, ciphers without forward secrecy, and plain HTTP', async () => {
    const { instance } = await startEncrypted();
    const { port } = instance;
    expect(await nameServedAt(port, { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' })).toBe('first');
    expect(await nameServedAt(port, { minVersion: 'TLSv1.3' })).toBe('first');
    const older = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const;
    expect(await nameServedAt(port, older)).toBe('');
    for (const ciphers of ['AES128-SHA', 'AES128-GCM-SHA256', 'ECDHE-ECDSA-AES128-SHA'])
      expect(await nameServedAt(port, { maxVersion: 'TLSv1.2', ciphers })).toBe('');

    const plain = connectPlain(port, '127.0.0.1');
    plain.write('GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n');
    const chunks: Buffer[] = [];
    plain.on('data', (chunk: Buffer) => chunks.push(chunk));
    plain.on('error', () => {});
    await once(plain, 'close');
    expect(Buffer.concat(chunks).toString()).not.toContain('HTTP');
    expect(await nameServedAt(port)).toBe('first');
  });

  it('npm run chat talks to a TLS server whose authority NODE_EXTRA_CA_CERTS names', async () => {
    const { instance, folder } = await startEncrypted({ SIMULATOR_TOKENS_PER_SECOND: '0' });
    const trusting = { NODE_EXTRA_CA_CERTS: join(folder, 'tls.crt') };
    const [known, unknown] = await Promise.all([
      runToEnd('chat.js', trusting, ['--url', instance.url]),
      runToEnd('chat.js', {}, ['--url', instance.url, '--wait', '1']),
    ]);
    expect(known.code).toBe(0);
    expect(unknown.code).toBe(1);
  });
});

describe('an answer over TLS', () => {
  it('every answer over TLS tells browsers to stay with TLS, an unknown path included', async () => {
    const { instance, made } = await startEncrypted();
    const dispatcher = new Agent({ connect: { ca: made.cert } });
    for (const path of ['/healthz', '/dashboard', '/no/such/path']) {
      const { headers } = await fetchWith(`${instance.http}${path}`, { dispatcher });
      expect(headers.get('strict-transport-security')).toMatch(/^max-age=\d{7,}$/);
    }
    await dispatcher.destroy();
  });
});

describe('a new certificate', () => {
  it('after SIGHUP new connections get the new certificate, open sockets go on, and no client is refused meanwhile', async () => {
    const { instance, folder, made } = await startEncrypted({ SIMULATOR_TOKENS: '200' });
    const before = await TestClient.open(instance.url, [], {}, made.cert);
    await before.hello();
    before.message('m', 'chest pain');
    await before.waitForType('delta');

    const names: string[] = [];
    let isOver = false;
    const callers = Array.from({ length: 4 }, async () => {
      while (!isOver) names.push(await nameServedAt(instance.port));
    });
    const renewed = makeCertificate('second');
    writeCertificate(folder, renewed);
    instance.kill('SIGHUP');
    await eventually(
      'the new certificate',
      () => names.filter((name) => name === 'second').length,
      (count) => count >= 20,
    );
    isOver = true;
    await Promise.all(callers);
    expect(names.filter((name) => name === '')).toEqual([]);
    expect(names.lastIndexOf('first')).toBeLessThan(names.length - 1);
    expect(await nameServedAt(instance.port)).toBe('second');

    expect((await before.completed('m')).type).toBe('turn.completed');
    expect(before.isOpen).toBe(true);
    const after = await TestClient.open(instance.url, [], {}, renewed.cert);
    await after.hello({ session_id: before.sessionId, after: 0 });
    expect((await after.completed('m')).type).toBe('turn.completed');

    // A drain reaches the sockets of every certificate.
    instance.kill('SIGTERM');
    expect(await before.closed).toMatchObject({ code: 1012 });
    expect(await after.closed).toMatchObject({ code: 1012 });
    expect(await instance.exited).toMatchObject({ code: 0 });
  });

  it('a certificate that cannot be used leaves the former one in service, and the log says why without its content', async () => {
    const { instance, folder } = await startEncrypted();
    const other = makeCertificate('other');
    const key = join(folder, 'tls.key');
    const broken = [
      [() => writeFileSync(key, other.key), 'TLS_KEY is not the key of the first certificate'],
      [() => writeFileSync(key, 'canary'), 'the file of TLS_KEY holds no private key'],
      [() => rmSync(key), 'the file of TLS_KEY cannot be read: ENOENT'],
      [() => writeFileSync(join(folder, 'tls.crt'), 'canary'), 'cannot be'],
    ] as const;
    for (const [index, [breakIt, reason]] of broken.entries()) {
      breakIt();
      instance.kill('SIGHUP');
      await toSay(instance, 'the new certificate cannot be used, the former one stays', index + 1);
      expect(said(instance, 'the former one stays').at(-1)).toContain(reason);
      expect(await nameServedAt(instance.port)).toBe('first');
    }
    writeCertificate(folder, other);
    instance.kill('SIGHUP');
    await toSay(instance, 'new connections get the new certificate');
    expect(await nameServedAt(instance.port)).toBe('other');
    expect(instance.logs.join('\n')).not.toMatch(/canary|PRIVATE KEY/);
  });

  it('a SIGHUP with unchanged files changes nothing', async () => {
    const { instance } = await startEncrypted();
    instance.kill('SIGHUP');
    await toSay(instance, 'reopening files');
    expect(await nameServedAt(instance.port)).toBe('first');
    expect(said(instance, 'new connections get the new certificate')).toEqual([]);
  });

  it.runIf(process.platform === 'linux')(
    'all workers of one port take the new certificate on one SIGHUP to their supervisor',
    async () => {
      const redis = await startRedis();
      onTestFinished(async () => void (await redis.stop()));
      const { instance, folder } = await startEncrypted({
        WORKERS: '2',
        REDIS_URL: redis.url,
        DATA_DIR: newFolder(),
      });
      writeCertificate(folder, makeCertificate('second'));
      instance.kill('SIGHUP');
      await toSay(instance, 'new connections get the new certificate', 2);
      const names = await Promise.all(Array.from({ length: 20 }, () => nameServedAt(instance.port)));
      expect(new Set(names)).toEqual(new Set(['second']));
    },
  );
});

describe('a start with a wrong certificate', () => {
  const start = (environment: Environment) =>
    runToEnd('main.js', { PORT: '0', DATA_DIR: ':memory:', ...environment });

  it('a certificate or key that cannot be used refuses the start with one line that names the variable', async () => {
    const folder = newFolder();
    const made = makeCertificate('one');
    const { cert, key } = writeCertificate(folder, made);
    const file = (name: string, text: string): string => {
      appendFileSync(join(folder, name), text, { mode: 0o600 });
      return join(folder, name);
    };
    const foreignKey = file('foreign.key', makeCertificate('two').key);
    const encrypted = file(
      'encrypted.key',
      '-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIBvTBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQI\n-----END ENCRYPTED PRIVATE KEY-----\n',
    );
    const canary = file('canary.pem', 'canary');
    const cases: readonly (readonly [Environment, string])[] = [
      [{ TLS_CERT: cert, TLS_KEY: join(folder, 'none') }, 'the file of TLS_KEY cannot be read: ENOENT'],
      [{ TLS_CERT: folder, TLS_KEY: key }, 'the file of TLS_CERT cannot be read: EISDIR'],
      [{ TLS_CERT: cert, TLS_KEY: foreignKey }, 'TLS_KEY is not the key of the first certificate'],
      [{ TLS_CERT: canary, TLS_KEY: key }, 'the file of TLS_CERT holds no certificate in PEM form'],
      [{ TLS_CERT: cert, TLS_KEY: canary }, 'the file of TLS_KEY holds no private key in PEM form'],
      [{ TLS_CERT: cert, TLS_KEY: encrypted }, 'TLS_KEY'],
      [{ TLS_CERT: cert }, 'TLS_CERT is set without TLS_KEY'],
      [{ TLS_KEY: key }, 'TLS_KEY is set without TLS_CERT'],
      [{ TLS_CERT: cert, TLS_KEY: made.key }, 'TLS_KEY holds PEM itself; it takes the path of a file'],
    ];
    const ended = await Promise.all(cases.map(([environment]) => start(environment)));
    for (const [index, { code, stdout, stderr }] of ended.entries()) {
      expect(code).toBe(1);
      expect(stderr).toContain(cases[index]?.[1]);
      expect(
        stderr
          .trim()
          .split('\n')
          .filter((line) => line.includes('TLS_')),
      ).toHaveLength(1);
      expect(`${stdout}${stderr}`).not.toMatch(/canary|MIIBvTBX|BEGIN|^\s+at /m);
    }
  });

  it('the log warns of a certificate that ends soon, of one that has ended, and of a key that others may read', async () => {
    const soon = await startEncrypted({}, makeCertificate('soon', 10));
    expect(said(soon.instance, 'the certificate of TLS_CERT ends soon')).toHaveLength(1);
    const over = await startEncrypted({}, makeCertificate('over', -1));
    expect(said(over.instance, 'the certificate of TLS_CERT has ended')).toHaveLength(1);
    const { cert, key } = over.made;
    const folder = newFolder();
    writeFileSync(join(folder, 'tls.crt'), cert);
    writeFileSync(join(folder, 'tls.key'), key, { mode: 0o644 });
    const exposed = await startInstance({
      TLS_CERT: join(folder, 'tls.crt'),
      TLS_KEY: join(folder, 'tls.key'),
    });
    expect(said(exposed, 'may read the file of TLS_KEY')).toHaveLength(1);
    await exposed.stop();
  });
});
