/** Access rights to a session, as pure functions: routers that check early and the machine apply the same rule. */
import { isSameTenant } from './tenant.ts';
import type { SessionContext, SessionEvent } from './vocabulary.ts';

export type Access = 'owner' | 'write' | 'read' | 'none';

/** A client as a session sees it. */
export interface Party {
  /** Null: the client names no user. */
  readonly userId: string | null;
  /** Absent or empty: the default tenant. */
  readonly tenant?: string | undefined;
  /** A credential proves that the client acts for this user and for no other. */
  readonly isProven?: boolean | undefined;
}

/** The access that the sender of each event needs. No client may send an event of the `instance`. */
export const neededAccess: Readonly<Record<SessionEvent['type'], Exclude<Access, 'none'> | 'instance'>> = {
  attach: 'read',
  message: 'write',
  regenerate: 'write',
  cancel: 'write',
  extend: 'write',
  close: 'owner',
  fork: 'owner',
  share: 'owner',
  unshare: 'owner',
  detach: 'instance',
  summarised: 'instance',
  recover: 'instance',
};

/** From least to most: each access includes those before it. */
const ORDER = ['none', 'read', 'write', 'owner', 'instance'] as const;

/**
 * A session with a user is open to that user, and to guests whose share has not expired. A session without a user is open
 * to every client that knows its id, because ids cannot be guessed. A proven user must not take it over, or the clients
 * that opened it would lose it. No client reaches a session of another tenant.
 */
export function accessOf(context: SessionContext, { userId, tenant, isProven }: Party, at: number): Access {
  if (!isSameTenant(context.tenant, tenant)) return 'none';
  if (context.userId === null) return isProven === true ? 'none' : 'owner';
  if (userId === null) return 'none';
  if (userId === context.userId) return 'owner';
  const share = context.shares.find((one) => one.userId === userId && one.expiresAt > at);
  return share?.access ?? 'none';
}

/** True if the event's sender lacks the access that the event needs. An instance or an administrator lacks none. */
export function mayNotSend(context: SessionContext, event: SessionEvent): boolean {
  return !mayAs(neededAccess[event.type], context, event);
}

/** True if the event's sender may change the conversation. */
export function mayWrite(context: SessionContext, event: SessionEvent): boolean {
  return mayAs('write', context, event);
}

function mayAs(needed: (typeof ORDER)[number], context: SessionContext, event: SessionEvent): boolean {
  const party = senderOf(event);
  if (party === null) return true;
  return ORDER.indexOf(accessOf(context, party, event.at)) >= ORDER.indexOf(needed);
}

/** The client that sent the event; null: an instance or an administrator. */
function senderOf(event: SessionEvent): Party | null {
  switch (event.type) {
    case 'attach': {
      const { userId = null, tenant, isProven, isReturn } = event;
      return isReturn === true ? null : { userId, tenant, isProven };
    }
    case 'message':
    case 'regenerate':
    case 'fork':
    case 'cancel':
    case 'extend':
    case 'close':
    case 'share':
    case 'unshare':
      return event.author === undefined ? null : { userId: event.author, tenant: event.tenant };
    case 'detach':
    case 'summarised':
    case 'recover':
      return null;
  }
}

/** Bounded because every snapshot carries all shares. */
const SHARES_MAX = 16;

/** True if the session cannot take another share. A user who has a share already only replaces it. */
export function sharesAreFull({ shares }: SessionContext, userId: string, at: number): boolean {
  return shares.filter((one) => one.expiresAt > at && one.userId !== userId).length >= SHARES_MAX;
}
