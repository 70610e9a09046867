/**
 * Origins decides which web pages may use this service: by the list of the operator, else pages of the same host, and
 * pages of this machine where only this machine reaches the service. A program that is no browser sends no origin.
 *
 *  ORIGIN-1  An origin is compared whole, as browsers write it: no prefix, suffix, pattern or other spelling counts.
 *  ORIGIN-2  `null` is the origin of sandboxed pages and local files of anybody, and is never allowed.
 */
import { isLoopback } from '../../startup/address.ts';
import { hostIn } from './hosts.ts';

export interface Origins {
  /** `host` is the Host header of the request. */
  allows(origin: string, host: string): boolean;
}

/** `allowed`: null without a list. `listensOn`: the address that the service listens on. */
export function originsOf(allowed: readonly string[] | null, listensOn: string): Origins {
  const list = allowed === null ? null : new Set(allowed);
  const isLocal = isLoopback(listensOn);
  return {
    allows(origin, host) {
      if (list !== null) return list.has(origin);
      const page = pageOf(origin);
      return page !== null && (isSameHost(page, host) || (isLocal && isLoopback(page.hostname)));
    },
  };
}

/** Null for anything but an origin of a web page in the one spelling that browsers send (ORIGIN-1, ORIGIN-2). */
function pageOf(origin: string): URL | null {
  if (!/^https?:\/\//.test(origin) || !URL.canParse(origin)) return null;
  const page = new URL(origin);
  return page.origin === origin ? page : null;
}

/** The scheme is not compared: behind a proxy that ends TLS, the page's differs from that of the request. */
function isSameHost(page: URL, header: string): boolean {
  const host = hostIn(header);
  if (host === null || host.name !== page.hostname) return false;
  // Neither names the port of its own scheme, but a client may.
  if (page.port === '')
    return host.port === null || host.port === (page.protocol === 'https:' ? '443' : '80');
  return host.port === page.port;
}
