/** Who may do what in a session. Pure, so that the machine and whoever asks before it agree. */
import type { SessionContext } from './vocabulary.ts';

export type Access = 'owner' | 'write' | 'read' | 'none';

/**
 * A session without a user belongs to whoever knows its id; so does a visitor without one, since an id cannot be
 * guessed. A visitor of another name needs a share that has not run out.
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

/** More are not a consultation but a broadcast, and each is in every snapshot. */
const SHARES_MAX = 16;

/** Whether one more may not be given to `userId`; who has one already would only get another in its place. */
export function sharesAreFull({ shares }: SessionContext, userId: string, at: number): boolean {
  return shares.filter((one) => one.expiresAt > at && one.userId !== userId).length >= SHARES_MAX;
}
