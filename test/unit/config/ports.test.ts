import { expect, it } from 'vitest';
import { readConfig } from '../../../src/config/config.ts';

const HALF = 'TLS needs both, the certificate and its key';

function refusal(environment: Readonly<Record<string, string>>): string {
  try {
    readConfig(environment);
    return '';
  } catch (error) {
    return String(error).split('\n').slice(1).join('\n');
  }
}

it('without TLS_CERT and ADMIN_PORT an instance has one plain port', () => {
  expect(readConfig({})).toMatchObject({ tls: null, admin: null });
});

it('a certificate without its key is refused, and a key without its certificate', () => {
  expect(refusal({ TLS_CERT: 'a.crt' })).toBe(`TLS_CERT is set without TLS_KEY; ${HALF}`);
  expect(refusal({ TLS_KEY: 'a.key' })).toBe(`TLS_KEY is set without TLS_CERT; ${HALF}`);
  const tls = { certPath: 'a.crt', keyPath: 'a.key' };
  expect(readConfig({ TLS_CERT: 'a.crt', TLS_KEY: 'a.key' }).tls).toEqual(tls);
});

it('a key in place of the path of its file is refused, and no message repeats it', () => {
  const said = refusal({ TLS_CERT: 'a.crt', TLS_KEY: '-----BEGIN PRIVATE KEY-----\ncanary' });
  expect(said).toBe('TLS_KEY holds PEM itself; it takes the path of a file');
});

it('the port for operators is on loopback unless ADMIN_HOST names another address', () => {
  expect(readConfig({ ADMIN_PORT: '9090' }).admin).toEqual({ host: '127.0.0.1', port: 9090 });
  expect(readConfig({ ADMIN_PORT: '0', ADMIN_HOST: '[::1]' }).admin).toEqual({ host: '::1', port: 0 });
});

it('the port for operators must differ from PORT, unless both are any free port', () => {
  const both = 'ADMIN_PORT=8080 is PORT; set another one, or unset it to share the port';
  expect(refusal({ ADMIN_PORT: '8080' })).toBe(both);
  expect(refusal({ ADMIN_PORT: '0', PORT: '0' })).toBe('');
  expect(refusal({ ADMIN_PORT: '8080', ADMIN_HOST: '127.0.0.2' })).toBe('');
});

it('the port for operators is open to other machines only with AUTH', () => {
  expect(refusal({ ADMIN_PORT: '9090', ADMIN_HOST: '0.0.0.0' })).toContain('ADMIN_HOST=0.0.0.0 needs AUTH');
  expect(refusal({ ADMIN_HOST: '0.0.0.0' })).toBe('');
});

it('credentials cross a network only over TLS, of the server or of a proxy in front', () => {
  const keys = { AUTH: 'keys', AUTH_KEYS_FILE: 'keys.json' };
  const how = 'set TLS_CERT and TLS_KEY, or TRUST_PROXY if a proxy in front ends TLS';
  const main = `HOST=0.0.0.0 would take credentials unencrypted: ${how}`;
  expect(refusal({ ...keys, HOST: '0.0.0.0' })).toBe(main);
  expect(refusal({ ...keys, HOST: '0.0.0.0', TRUST_PROXY: '0' })).toBe(main);
  const admin = { ADMIN_PORT: '9090', ADMIN_HOST: '10.0.0.7' };
  expect(refusal({ ...keys, ...admin })).toBe(
    `ADMIN_HOST=10.0.0.7 would take credentials unencrypted: ${how}`,
  );
  expect(refusal({ ...keys })).toBe('');
  for (const protection of [{ TRUST_PROXY: '1' }, { TLS_CERT: 'a.crt', TLS_KEY: 'a.key' }])
    expect(refusal({ ...keys, ...admin, HOST: '0.0.0.0', ...protection })).toBe('');
});

it('an ADMIN_HOST without ADMIN_PORT has no effect, and a warning says so', () => {
  const { warnings } = readConfig({ ADMIN_HOST: '127.0.0.2' });
  expect(warnings).toEqual(['ADMIN_HOST has no effect while ADMIN_PORT is not set']);
});
