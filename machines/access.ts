/** Access rights to a session, as pure functions: routers that check early and the machine apply the same rule. */
import type { SessionContext } from './vocabulary.ts';

export type Access = 'owner' | 'write' | 'read' | 'none';

/**
 * A client that names no user, or any client of a session without an owner, has full access if it knows the session id:
 * ids cannot be guessed. Any other user than the owner needs a share that has not expired.
 */
export function accessOf(context: SessionContext, userId: string | null | undefined, at: number): Access {
  if (context.userId === null || userId === null || userId === undefined || userId === context.userId)
    return 'owner';
  const share = context.shares.find((one) => one.userId === userId && one.expiresAt > at);
  return share?.access ?? 'none';
}

export function mayWrite(context: SessionContext, userId: string | null | undefined, at: number): boolean {
  return ['owner', 'write'].includes(accessOf(context, userId, at));
}

/** Bounded because every snapshot carries all shares. */
const SHARES_MAX = 16;

/** True if the session cannot take another share. A user who has a share already only replaces it. */
export function sharesAreFull({ shares }: SessionContext, userId: string, at: number): boolean {
  return shares.filter((one) => one.expiresAt > at && one.userId !== userId).length >= SHARES_MAX;
}
