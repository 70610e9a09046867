/**
 * A Caller is the client of a request or a socket as the instance knows it: proven, unproven, or without a credential.
 *
 * Permissions follow from the caller alone, never from a name that the client claims.
 */

/**
 * `user`: a person with sessions of their own. `service`: a back end that acts for users by name. `auditor`: reads figures,
 * diagrams and histories, never words. `admin`: operates a tenant.
 */
export const roles = ['user', 'service', 'auditor', 'admin'] as const;
export type Role = (typeof roles)[number];

/** A caller that showed a valid credential. */
export interface Identity {
  readonly kind: 'identified';
  readonly role: Role;
  /** The user id of a `user`; the name of any other caller. */
  readonly subject: string;
  /** Empty: the one tenant of a deployment whose credentials name none. */
  readonly tenant: string;
  /** End of the credential in ms since the epoch; null: it has no end of its own. */
  readonly expiresAt: number | null;
  /** Operations that the credential is limited to, by their names in permissions.ts; null: all of its role. */
  readonly rights: ReadonlySet<string> | null;
  readonly proof: 'jwt' | 'key' | 'proxy';
  /** Names the credential in the audit log and when it is withdrawn, such as the name of a key. Reveals no secret. */
  readonly credential: string;
}

export type Caller =
  | Identity
  /** `AUTH=off`: every client of this loopback address may do everything, under any name that it claims. */
  | { readonly kind: 'open' }
  /** Showed no credential. */
  | { readonly kind: 'stranger' };

export const OPEN: Caller = { kind: 'open' };
export const STRANGER: Caller = { kind: 'stranger' };
