/** Decides for which user a caller acts: its own name, or the name that a back end gives. */
import type { Authenticator } from './authenticator.ts';
import type { Caller } from './caller.ts';

/** Null: the caller acts for no user. `refused`: the caller may not act under the claimed name. */
export type ActingUser =
  | { readonly kind: 'user'; readonly userId: string | null }
  | { readonly kind: 'refused' };

/** `claimed` is the user id in a frame, a body, a query or the header `rehydra-user`. */
export function actingUser(caller: Caller, claimed: string | null): ActingUser {
  switch (caller.kind) {
    case 'open':
      return { kind: 'user', userId: claimed };
    case 'stranger':
      return { kind: 'refused' };
    case 'identified':
      // An auditor or administrator acts for no user, whatever name it gives.
      if (caller.role === 'auditor' || caller.role === 'admin') return { kind: 'user', userId: null };
      if (caller.role === 'service') return { kind: 'user', userId: claimed };
      return claimed === null || claimed === caller.subject
        ? { kind: 'user', userId: caller.subject }
        : { kind: 'refused' };
  }
}

/** The user, service or local client that takes part in a conversation. */
export interface Participant {
  readonly tenant: string;
  readonly userId: string | null;
  /** A person whose name is proven. Others act under a name that a back end, or any client of loopback, claims. */
  readonly isProven: boolean;
  /** Foreign sessions look absent to it, and it opens no session under an id of its choice. */
  readonly seesOwnOnly: boolean;
}

/** Null: the caller may not act under the claimed name. */
export function participantOf(caller: Caller, claimed: string | null): Participant | null {
  const acting = actingUser(caller, claimed);
  if (acting.kind === 'refused') return null;
  return {
    tenant: tenantOf(caller),
    userId: acting.userId,
    isProven: caller.kind === 'identified' && caller.role === 'user',
    seesOwnOnly: caller.kind !== 'open',
  };
}

/** False once the caller's credential has ended, or the user for whom it acts is disabled. */
export function mayStillAct(
  authenticator: Authenticator,
  caller: Caller,
  userId: string | null,
  now: number,
): boolean {
  if (caller.kind !== 'identified') return true;
  return authenticator.holds(caller, now) && !actsForDisabled(authenticator, caller, userId);
}

/** A back end must not keep a disabled user in service. */
export function actsForDisabled(
  authenticator: Authenticator,
  caller: Caller,
  userId: string | null,
): boolean {
  if (caller.kind !== 'identified' || userId === null) return false;
  return authenticator.isDisabled({ subject: userId, tenant: caller.tenant });
}

export function tenantOf(caller: Caller): string {
  return caller.kind === 'identified' ? caller.tenant : '';
}
