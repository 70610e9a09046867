/**
 * Whose address a request has: the socket's own, unless its peer is trusted; then what that one says of whom it serves,
 * and so on. The list is read from its end: what a client wrote into it stands before what the proxies added, and is
 * never reached.
 */
import { BlockList, isIP, isIPv6 } from 'node:net';
import type { Config, TrustProxy } from '../config/config.ts';

export interface ClientAddresses {
  /** Which header is read; null where none is believed. */
  readonly header: string | null;
  /** `lines` are those of the header, in their order. */
  of(peer: string, lines: readonly string[]): string;
}

export function clientAddresses({ trust, header }: Config['proxy']): ClientAddresses {
  const isTrusted = trustedBy(trust);
  const believesNobody = trust.kind === 'hops' && trust.hops === 0;
  return {
    header: believesNobody ? null : header,
    of(peer, lines) {
      const said = lines.join(',').split(',');
      let address = addressIn(peer) ?? peer;
      for (let hop = 0; isTrusted(address, hop); hop += 1) {
        const entry = said.at(-1 - hop);
        const next = entry === undefined ? null : addressIn(header === 'forwarded' ? servedIn(entry) : entry);
        if (next === null) break;
        address = next;
      }
      return address;
    },
  };
}

/** What counts as one client: of IPv6 the network of 64 bits, because whoever has one of its addresses has them all. */
export function networkOf(address: string): string {
  return isIPv6(address) ? `${groupsOf(address).slice(0, 4).join(':')}::/64` : address;
}

function trustedBy(trust: TrustProxy): (address: string, hop: number) => boolean {
  if (trust.kind === 'hops') return (_, hop) => hop < trust.hops;
  const list = new BlockList();
  for (const { address, prefix } of trust.networks) list.addSubnet(address, prefix, familyOf(address));
  return (address) => isIP(address) !== 0 && list.check(address, familyOf(address));
}

const familyOf = (address: string) => (isIPv6(address) ? 'ipv6' : 'ipv4');

/** `for=` of one element of a Forwarded header (RFC 7239). */
function servedIn(element: string): string {
  return /(?:^|;)\s*for="?([^";]*)/i.exec(element)?.[1] ?? '';
}

/** The address without brackets, port and zone; an IPv4 address in the clothes of IPv6 as what it is. */
function addressIn(text: string): string | null {
  const [, bracketed, dotted] = /^\[(.*)\](?::\d+)?$|^([\d.]+):\d+$/.exec(text.trim()) ?? [];
  const [address = ''] = (bracketed ?? dotted ?? text.trim()).split('%');
  if (!isIPv6(address)) return isIP(address) === 4 ? address : null;
  const groups = groupsOf(address);
  const [high = 0, low = 0] = groups.slice(6).map((group) => Number.parseInt(group, 16));
  const isMapped = groups.slice(0, 6).join() === '0,0,0,0,0,ffff';
  return isMapped ? [high >> 8, high & 255, low >> 8, low & 255].join('.') : address;
}

/** The eight groups of an IPv6 address, without leading zeros. */
function groupsOf(address: string): readonly string[] {
  const hex = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...bytes: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = bytes.map(Number);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  const [left = [], right] = hex.split('::').map((side) => (side === '' ? [] : side.split(':')));
  const gap = right === undefined ? [] : Array<string>(8 - left.length - right.length).fill('0');
  return [...left, ...gap, ...(right ?? [])].map((group) => Number.parseInt(group, 16).toString(16));
}
