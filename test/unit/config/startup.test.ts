import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../src/errors.ts';
import { authority, shellWord } from '../../../src/startup/address.ts';
import { listenFailure, reasonOf, startFailure } from '../../../src/startup/start-failure.ts';

describe('the address that a server prints', () => {
  it.each([
    ['127.0.0.1', '127.0.0.1:80'],
    ['localhost', 'localhost:80'],
    ['chat.example', 'chat.example:80'],
    ['::1', '[::1]:80'],
    ['[::1]', '[::1]:80'],
    ['2001:db8::7', '[2001:db8::7]:80'],
    ['0.0.0.0', '127.0.0.1:80'],
    ['0', '127.0.0.1:80'],
    ['::', '[::1]:80'],
    ['0:0:0:0:0:0:0:0', '[::1]:80'],
  ])('a server on HOST=%s prints the address %s, which fits into a URL', (host, expected) => {
    expect(authority(host, 80)).toBe(expected);
    expect(URL.canParse(`ws://${authority(host, 80)}/v1/session`)).toBe(true);
  });
});

it('an address in a printed command is quoted only where a shell would read it as a pattern', () => {
  expect(shellWord('ws://[::1]:80/v1/session')).toBe("'ws://[::1]:80/v1/session'");
  expect(shellWord('ws://127.0.0.1:80/v1/session,ws://chat.example/v1/session')).not.toContain("'");
  expect(shellWord("a'b c")).toBe("'a'\\''b c'");
});

describe('a server that cannot listen', () => {
  const listening = { host: '10.0.0.1', port: 80, hostName: 'HOST', portName: 'PORT' };
  it.each([
    ['EADDRINUSE', 'the port is in use'],
    ['EACCES', 'Ports below 1024 are for root'],
    ['EADDRNOTAVAIL', 'does not have that address'],
    ['ENOTFOUND', 'the host is unknown'],
    ['EAFNOSUPPORT', 'does not support that kind of address'],
    ['EMFILE', 'EMFILE'],
  ])('a server that cannot listen because of %s says so', (code, words) => {
    const failure = listenFailure(new CodedError(code, 'listen'), listening);
    expect(reasonOf(failure)).toContain('cannot listen on HOST=10.0.0.1 PORT=80: ');
    expect(reasonOf(failure)).toContain(words);
  });
});

describe('the reason for which a start fails', () => {
  it('the reason for a failed start is one line', () => {
    expect(reasonOf(startFailure('first\n  second'))).toBe('first second');
  });

  it('a failed start has a reason from a store, an archive or the system, and none for a bug', () => {
    const coded = (code: string) => new CodedError(code, 'told');
    for (const code of ['STORE_UNAVAILABLE', 'ARCHIVE_UNAVAILABLE', 'EACCES', 'ENOTDIR'])
      expect(reasonOf(coded(code))).toBe('told');
    for (const bug of [new TypeError('told'), coded('ERR_INVALID_ARG_TYPE'), 'told', null])
      expect(reasonOf(bug)).toBeNull();
  });

  it('the reason for a failed start holds no password of a URL', () => {
    const reason = reasonOf(startFailure('redis://user:p@ss/word@host:6379 and postgres://:x@db/y failed'));
    expect(reason).not.toMatch(/p@ss|word|:x@/);
    expect(reason).toContain('host:6379');
    expect(reason).toContain('db/y failed');
  });
});
