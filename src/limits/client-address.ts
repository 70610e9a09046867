/**
 * ClientAddresses finds the address that a request comes from, behind the proxies that the operator trusts.
 *
 *  ADDRESS-1  The header is read from its end: each trusted proxy appends the address that it serves. Entries that a
 *             client wrote come before those, and are never reached.
 *  ADDRESS-2  An IPv4 address that is mapped into IPv6 counts as IPv4: one client has one address.
 */
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { Config } from '../config/config.ts';
import type { TrustProxy } from '../config/values.ts';

export interface ClientAddresses {
  /** The header that is read; null if no proxy is trusted. */
  readonly header: string | null;
  /** `lines` are those of the header, in their order. */
  of(peer: string, lines: readonly string[]): string;
}

export function clientAddresses({ trust, header }: Config['proxy']): ClientAddresses {
  const isTrusted = trustedBy(trust);
  const trustsNone = trust.kind === 'hops' && trust.hops === 0;
  return {
    header: trustsNone ? null : header,
    of(peer, lines) {
      let address = addressIn(peer) ?? peer;
      if (lines.length === 0) return address;
      const entries = lines.join(',').split(',');
      for (let hop = 0; isTrusted(address, hop); hop += 1) {
        const entry = entries.at(-1 - hop); // ADDRESS-1
        const next = entry === undefined ? null : addressIn(header === 'forwarded' ? forIn(entry) : entry);
        if (next === null) break;
        address = next;
      }
      return address;
    },
  };
}

/** The key that limits count by. A client with one address of an IPv6 /64 network can use all of them. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const groups = ipaddr.IPv6.parse(address).parts.slice(0, 4);
  return `${groups.map((group) => group.toString(16)).join(':')}::/64`;
}

/** Whether the other end of a socket is a trusted proxy. A number of proxies says nothing of their addresses. */
export function isTrustedPeer(trust: TrustProxy): (peer: string) => boolean {
  const isTrusted = trustedBy(trust);
  return (peer) => isTrusted(addressIn(peer) ?? peer, 0);
}

function trustedBy(trust: TrustProxy): (address: string, hop: number) => boolean {
  if (trust.kind === 'hops') return (_, hop) => hop < trust.hops;
  const list = new BlockList();
  for (const { address, prefix } of trust.networks) list.addSubnet(address, prefix, familyOf(address));
  return (address) => isIP(address) !== 0 && list.check(address, familyOf(address));
}

const familyOf = (address: string) => (isIPv6(address) ? 'ipv6' : 'ipv4');

/** `for=` of one element of a Forwarded header (RFC 7239). */
function forIn(element: string): string {
  return /(?:^|;)\s*for="?([^";]*)/i.exec(element)?.[1] ?? '';
}

/** The address without brackets, port and zone. Node decides what is an address: ipaddr.js also takes `10.1` and `0xa`. */
function addressIn(text: string): string | null {
  if (isIPv4(text)) return text;
  const [, bracketed, dotted] = /^\[(.*)\](?::\d+)?$|^([\d.]+):\d+$/.exec(text.trim()) ?? [];
  const [address = ''] = (bracketed ?? dotted ?? text.trim()).split('%');
  if (!isIPv6(address)) return isIPv4(address) ? address : null;
  // In hexadecimal: ipaddr.js takes the dotted `::1.2.3.4` for a mapped address, and would trust it as IPv4.
  const parsed = ipaddr.IPv6.parse(new URL(`http://[${address}]`).hostname.slice(1, -1));
  return parsed.isIPv4MappedAddress() ? parsed.toIPv4Address().toString() : address; // ADDRESS-2
}
