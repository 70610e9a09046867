import { describe, expect, it } from 'vitest';
import { readConfig } from '../../../src/config/config.ts';
import { clientAddresses, networkOf } from '../../../src/limits/client-address.ts';

const believing = (trust: string, header = 'x-forwarded-for') =>
  clientAddresses(readConfig({ TRUST_PROXY: trust, TRUST_PROXY_HEADER: header }).proxy);

const PROXY = '10.0.0.1';

describe('address of a client', () => {
  it('without a trusted proxy, the client address is that of the socket', () => {
    for (const trust of ['', '0']) {
      const addresses = believing(trust);
      expect(addresses.header).toBeNull();
      expect(addresses.of('203.0.113.7', ['192.0.2.1'])).toBe('203.0.113.7');
    }
  });

  it.each([
    ['1', ['192.0.2.1'], '192.0.2.1'],
    ['1', ['6.6.6.6, 192.0.2.1'], '192.0.2.1'],
    ['1', ['6.6.6.6', '192.0.2.1'], '192.0.2.1'],
    ['2', ['6.6.6.6, 192.0.2.1, 10.0.0.2'], '192.0.2.1'],
    ['2', ['192.0.2.1'], '192.0.2.1'],
    ['3', ['192.0.2.1 , 10.0.0.3', '10.0.0.2'], '192.0.2.1'],
  ])(
    'behind %s proxies that send %j, the client address is %s, not an entry that the client wrote',
    (hops, lines, address) => {
      expect(believing(hops).of(PROXY, lines)).toBe(address);
    },
  );

  it.each([
    ['10.0.0.0/8', ['6.6.6.6, 192.0.2.1, 10.9.9.9'], '192.0.2.1'],
    ['10.0.0.1', ['6.6.6.6, 192.0.2.1, 10.9.9.9'], '10.9.9.9'],
    ['10.0.0.1, 10.9.9.9, fd00::/8', ['192.0.2.1, fd00::7, 10.9.9.9'], '192.0.2.1'],
    ['10.0.0.0/8', ['10.0.0.7, 10.0.0.8'], '10.0.0.7'],
    ['192.168.0.0/16', ['192.0.2.1'], PROXY],
  ])('where proxies in %s are trusted and send %j, the client address is %s', (networks, lines, address) => {
    expect(believing(networks).of(PROXY, lines)).toBe(address);
  });

  it('an entry that is no address ends the search for the client address', () => {
    for (const entry of [
      '',
      'unknown',
      '_hidden',
      '1.2.3',
      'a'.repeat(5_000),
      '::1::',
      '999.1.1.1',
      '10.1',
      '0x7f.1',
    ])
      expect(believing('2').of(PROXY, [`6.6.6.6, ${entry}`])).toBe(PROXY);
    expect(believing('1').of(PROXY, [])).toBe(PROXY);
  });

  it.each([
    ['for=192.0.2.1', '192.0.2.1'],
    ['for=6.6.6.6, For="192.0.2.1:4711";proto=https;by=10.0.0.1', '192.0.2.1'],
    ['proto=https; for="[2001:db8:1:2::17]:4711"', '2001:db8:1:2::17'],
    ['for=192.0.2.1, for=unknown', PROXY],
    ['proto=https;xfor=192.0.2.1', PROXY],
  ])('the client address is read from Forwarded: %s', (line, address) => {
    const addresses = believing('1', 'forwarded');
    expect(addresses.header).toBe('forwarded');
    expect(addresses.of(PROXY, [line])).toBe(address);
  });

  it.each([
    ['2001:0db8:0001:0002:0003:0004:0005:0006', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['[2001:db8:1:2::9]:443', '2001:db8:1:2::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['0000:0000:0000:0000:0000:ffff:c000:0201', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::192.0.2.1', '0:0:0:0::/64'],
    ['192.0.2.1:4711', '192.0.2.1'],
  ])('a client at %s is counted as %s', (peer, counted) => {
    expect(networkOf(believing('0').of(peer, []))).toBe(counted);
  });

  it('a socket without an IP address keeps what it has as client address', () => {
    expect(believing('1').of('', ['192.0.2.1'])).toBe('192.0.2.1');
    expect(believing('10.0.0.0/8').of('', ['192.0.2.1'])).toBe('');
  });
});
