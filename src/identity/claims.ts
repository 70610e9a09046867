/** Claims turns the text of a credential into who a caller is: role, user id, tenant. Nothing else becomes part of it. */
import { type Role, roles } from './caller.ts';
import { isTenantName, isUserId } from './names.ts';

/** `unknown`, because a claim may be any JSON. Undefined: the credential does not name it. */
export interface Claims {
  readonly subject: unknown;
  readonly role: unknown;
  readonly tenant: unknown;
}

export type Claimed =
  | { readonly kind: 'claimed'; readonly subject: string; readonly role: Role; readonly tenant: string }
  | { readonly kind: 'wrong'; readonly why: string };

export function claimedBy({ subject, role = 'user', tenant = '' }: Claims): Claimed {
  const wrong = (why: string) => ({ kind: 'wrong', why }) as const;
  if (typeof subject !== 'string' || !isUserId(subject)) return wrong('its subject is no user id');
  // Never the role of a user instead: a misspelt role must show, and may have meant less.
  const known = roles.find((one) => one === role);
  if (known === undefined) return wrong('its role is unknown');
  if (tenant !== '' && (typeof tenant !== 'string' || !isTenantName(tenant)))
    return wrong('its tenant is no name of a tenant');
  return { kind: 'claimed', subject, role: known, tenant };
}
