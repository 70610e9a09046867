/** Access rights to a session, as pure functions: the machine and the rooms that ask before it use the same rule. */
import type { SessionContext } from './vocabulary.ts';

export type Access = 'owner' | 'write' | 'read' | 'none';

/**
 * A session without a user grants every client that knows its id, and every session grants a client without a user: ids
 * cannot be guessed. Another user needs a share that has not expired.
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

/** Every snapshot carries all shares. */
const SHARES_MAX = 16;

/** True where `userId` may get no further share. A user with a share only replaces it. */
export function sharesAreFull({ shares }: SessionContext, userId: string, at: number): boolean {
  return shares.filter((one) => one.expiresAt > at && one.userId !== userId).length >= SHARES_MAX;
}
