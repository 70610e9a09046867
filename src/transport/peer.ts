/** Whose a request is: the address at the other end of its socket. */
import type { HttpResponse } from 'uws-node20';

/** Only valid while the request is being handed over. */
export function peerOf(res: HttpResponse): string {
  return Buffer.from(res.getRemoteAddressAsText()).toString();
}
