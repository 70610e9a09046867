/**
 * ProxyIdentity takes the identity of a client from headers of a trusted proxy, which has verified it.
 *
 *  PROXYID-1  Headers of any other peer do not count: the client is a stranger, as without them.
 *  PROXYID-2  A header that comes twice is refused. One of the two may be the client's own.
 */
import type { ProxyIdentityConfig } from '../config/identity.ts';
import { isTrustedPeer } from '../limits/client-address.ts';
import type { Authenticated, Credentials } from './authenticator.ts';
import { STRANGER } from './caller.ts';
import { claimedBy } from './claims.ts';

export type ProxyIdentity = (credentials: Pick<Credentials, 'header' | 'peer'>) => Authenticated;

export function proxyIdentity(config: ProxyIdentityConfig): ProxyIdentity {
  const isTrusted = isTrustedPeer(config.trust);
  return ({ header, peer }) => {
    const subject = header(config.userHeader);
    if (subject === '' || !isTrusted(peer)) return { kind: 'accepted', caller: STRANGER }; // PROXYID-1
    // An empty header is what some proxies send for a user without a role.
    const role = header(config.roleHeader) || undefined;
    const tenant = header(config.tenantHeader);
    if ([subject, role, tenant].some((value) => value?.includes('\n')))
      return { kind: 'refused', why: 'an identity header comes twice' }; // PROXYID-2
    const claimed = claimedBy({ subject, role, tenant });
    if (claimed.kind === 'wrong') return { kind: 'refused', why: `identity headers: ${claimed.why}` };
    const { kind: _, ...names } = claimed;
    return {
      kind: 'accepted',
      caller: {
        kind: 'identified',
        ...names,
        expiresAt: null,
        rights: null,
        proof: 'proxy',
        credential: 'proxy',
      },
    };
  };
}
