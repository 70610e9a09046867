/** peers finds the client's address of a request: its socket's, or the one that trusted proxies name. */
import type { HttpRequest, HttpResponse } from 'uws-node20';
import type { ClientAddresses } from '../../limits/client-address.ts';
import type { Log } from '../../telemetry/log.ts';

export interface Peer {
  /** The client's address. */
  readonly address: string;
  /** Address of the socket's other end: the last proxy, or the client itself. */
  readonly peer: string;
}

export type PeerOf = (res: HttpResponse, req: HttpRequest) => Peer;

export function peers(addresses: ClientAddresses, log: Log): PeerOf {
  let isWarned = false;
  return (res, req) => {
    const peer = Buffer.from(res.getRemoteAddressAsText()).toString();
    const lines: string[] = [];
    if (addresses.header !== null) {
      // `getHeader` gives the first line of that name: the client's own, where a proxy adds another.
      req.forEach((name, value) => {
        if (name === addresses.header) lines.push(value);
      });
    } else if (!isWarned && req.getHeader('x-forwarded-for') !== '') {
      isWarned = true;
      log.warn('a proxy sends X-Forwarded-For, but TRUST_PROXY is not set: all its clients count as one');
    }
    return { address: addresses.of(peer, lines), peer };
  };
}
