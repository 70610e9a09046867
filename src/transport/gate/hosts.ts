/**
 * Hosts decides for which names this service answers. Without that check, a page of any site could give its own name the
 * address of this machine, and would be of the same host as the service (DNS rebinding).
 *
 *  HOST-1  Names of loopback are always served: no DNS server can give them another address.
 *  HOST-2  The header that was last served is served without a look at it: clients of one service write one name.
 */
import { isIP } from 'node:net';
import { isLoopback } from '../../startup/address.ts';

export interface Host {
  /** In lower case; IPv6 in brackets. */
  readonly name: string;
  readonly port: string | null;
}

export interface Hosts {
  /** `isProbe`: load balancers and Prometheus name an instance by its address, which no DNS server gives out. */
  serves(header: string, isProbe: boolean): boolean;
}

/** Null if the Host header is none: user information, a path or white space in it, for example. */
export function hostIn(header: string): Host | null {
  const [, written, port] = /^(\[[\da-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?$/i.exec(header) ?? [];
  const url = `http://${written ?? ''}`;
  if (written === undefined || !URL.canParse(url)) return null;
  return { name: new URL(url).hostname, port: port ?? null };
}

/**
 * `allowed`: names, or names with ports; null without a list. Then a service that listens on a loopback address serves the
 * names of loopback, and any other service every name.
 */
export function hostsOf(allowed: readonly string[] | null, listensOn: string): Hosts {
  const list = new Set(allowed);
  const servesAll = allowed === null && !isLoopback(listensOn);
  /** The last header that is served for every path. */
  let lastServed: string | null = null;

  function servesName({ name, port }: Host): boolean {
    if (servesAll || isLoopback(name)) return true; // HOST-1
    return list.has(name) || list.has(`${name}:${port ?? ''}`);
  }

  return {
    serves(header, isProbe) {
      if (header === lastServed) return true; // HOST-2
      const host = hostIn(header);
      if (host === null) return false;
      // What only a probe may name is not kept: it would be served for every path.
      if (!servesName(host)) return isProbe && isIP(host.name.replace(/^\[(.*)\]$/, '$1')) !== 0;
      lastServed = header;
      return true;
    },
  };
}
