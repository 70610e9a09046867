import { describe, expect, it } from 'vitest';
import { hostIn, hostsOf } from '../../../src/transport/gate/hosts.ts';
import { originsOf } from '../../../src/transport/gate/origins.ts';

const APP = 'https://app.example';

describe('origins', () => {
  const listed = originsOf([APP, 'http://localhost:5173', 'capacitor://localhost'], '0.0.0.0');

  it.each([APP, 'http://localhost:5173', 'capacitor://localhost'])(
    'a listed origin is allowed: %s',
    (origin) => {
      expect(listed.allows(origin, 'chat.example')).toBe(true);
    },
  );

  it.each([
    ['with a suffix', 'https://app.example.evil.example'],
    ['with a longer name', 'https://app.examples'],
    ['with a prefix', 'https://evil-app.example'],
    ['of a subdomain', 'https://x.app.example'],
    ['of the parent domain', 'https://example'],
    ['with a port', 'https://app.example:8443'],
    ["with the scheme's own port", 'https://app.example:443'],
    ['of another scheme', 'http://app.example'],
    ['in other case', 'https://App.example'],
    ['with user information', 'https://app.example@evil.example'],
    ['as user information', 'https://evil.example@app.example'],
    ['with a slash', 'https://app.example/'],
    ['with a path', 'https://app.example/x'],
    ['with white space', ' https://app.example'],
    ['in a list', 'https://app.example, https://evil.example'],
    ['with a trailing dot', 'https://app.example.'],
    ['with a pattern', 'https://*.example'],
    ['that is null', 'null'],
    ['that is empty', ''],
    ['that is no URL', 'app.example'],
    ['of the same host, which the list does not name', 'https://chat.example'],
  ])('with a list, an origin %s is refused', (_, origin) => {
    expect(listed.allows(origin, 'chat.example')).toBe(false);
  });

  it.each([
    ['https://chat.example', 'chat.example'],
    ['https://chat.example', 'Chat.Example:443'],
    ['http://chat.example', 'chat.example:80'],
    ['https://chat.example:8443', 'chat.example:8443'],
    ['http://[::1]:8080', '[::1]:8080'],
  ])('without a list, the page of the same host is allowed: %s at %s', (origin, host) => {
    expect(originsOf(null, '0.0.0.0').allows(origin, host)).toBe(true);
  });

  it.each([
    ['https://evil.example', 'chat.example'],
    ['https://chat.example:8443', 'chat.example'],
    ['https://chat.example', 'chat.example:8443'],
    ['https://chat.example.evil.example', 'chat.example'],
    ['https://CHAT.example', 'chat.example'],
    ['https://evil.example@chat.example', 'chat.example'],
    ['null', 'chat.example'],
    ['null', 'null'],
    ['file://', ''],
    ['ftp://chat.example', 'chat.example'],
    ['http://localhost:3000', 'chat.example'],
    ['https://chat.example', 'evil.example@chat.example'],
  ])('without a list, any other page is refused: %s at %s', (origin, host) => {
    expect(originsOf(null, '0.0.0.0').allows(origin, host)).toBe(false);
  });

  it('pages of this machine are allowed while only this machine reaches the service', () => {
    for (const origin of ['http://localhost:3000', 'http://127.0.0.1:5173', 'https://[::1]']) {
      expect(originsOf(null, '127.0.0.1').allows(origin, 'localhost:8080')).toBe(true);
      expect(originsOf(null, '0.0.0.0').allows(origin, 'chat.example')).toBe(false);
      expect(originsOf([APP], '127.0.0.1').allows(origin, 'localhost:8080')).toBe(false);
    }
    for (const origin of [
      'http://localhost.evil.example',
      'http://127.0.0.1.evil.example',
      'http://evil.example',
    ])
      expect(originsOf(null, '127.0.0.1').allows(origin, 'localhost:8080')).toBe(false);
  });
});

describe('hosts', () => {
  const LOOPBACK = ['localhost', 'LOCALHOST:8080', '127.0.0.1:8080', '127.9.9.9', '[::1]', '[::1]:8080'];

  it('a service on a loopback address answers for the names of loopback and for no other', () => {
    for (const listensOn of ['127.0.0.1', 'localhost', '::1']) {
      const hosts = hostsOf(null, listensOn);
      for (const host of LOOPBACK) expect(hosts.serves(host, false), host).toBe(true);
      for (const host of [
        'evil.example',
        'localhost.evil.example',
        '127.0.0.1.nip.example',
        '10.0.0.1',
        '0.0.0.0',
      ])
        expect(hosts.serves(host, false), host).toBe(false);
    }
  });

  it('a service on other addresses answers for every name, unless names are listed', () => {
    expect(hostsOf(null, '0.0.0.0').serves('chat.example', false)).toBe(true);
    const listed = hostsOf(['chat.example', 'other.example:8443', '[2001:db8::1]'], '0.0.0.0');
    for (const host of [
      'chat.example',
      'Chat.Example:9',
      'other.example:8443',
      '[2001:DB8::1]:80',
      ...LOOPBACK,
    ])
      expect(listed.serves(host, false), host).toBe(true);
    for (const host of [
      'evil.example',
      'chat.example.evil.example',
      'other.example',
      'other.example:1',
      '10.0.0.1',
    ])
      expect(listed.serves(host, false), host).toBe(false);
  });

  it('a probe may name an instance by its address, but not by a name that is not listed', () => {
    const hosts = hostsOf(['chat.example'], '0.0.0.0');
    expect(hosts.serves('10.0.0.1:8080', true)).toBe(true);
    expect(hosts.serves('[2001:db8::7]:8080', true)).toBe(true);
    expect(hosts.serves('evil.example', true)).toBe(false);
  });

  it('a host that only a probe may name stays refused for other paths, whatever was served before', () => {
    const hosts = hostsOf(['chat.example'], '0.0.0.0');
    for (const served of ['10.0.0.1:8080', 'chat.example', 'chat.example:9']) {
      expect(hosts.serves(served, true), served).toBe(true);
      expect(hosts.serves('10.0.0.1:8080', false), served).toBe(false);
      expect(hosts.serves('evil.example', false), served).toBe(false);
    }
  });

  it.each([
    '',
    'a b',
    'a/b',
    'user@localhost',
    'localhost:',
    'localhost:x',
    'localhost:8080:1',
    '[::1',
    'localhost#',
    'a,b',
    'localhost\\evil',
  ])('a Host header that is none is refused: "%s"', (header) => {
    expect(hostIn(header)).toBeNull();
    expect(hostsOf(null, '0.0.0.0').serves(header, false)).toBe(false);
  });
});
