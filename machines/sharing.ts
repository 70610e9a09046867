/** Guards and actions for the shares of a session. access.ts decides which client may send which event. */
import { assertEvent } from 'xstate';
import { mayNotSend, sharesAreFull } from './access.ts';
import { type ActionArgs, assignContext, emitFrame } from './action.ts';

export const sharingGuards = {
  /** The client lacks the access that its event needs. */
  mayNot: ({ context, event }: ActionArgs) => mayNotSend(context, event),
  /** The session has as many living shares as it may have. */
  sharesAreFull: ({ context, event }: ActionArgs) =>
    event.type === 'share' && sharesAreFull(context, event.share.userId, event.at),
  /** The session has the share that the event names. */
  knowsShare: ({ context, event }: ActionArgs) =>
    event.type === 'unshare' && context.shares.some((one) => one.id === event.shareId),
};

export const sharingActions = {
  /** Adds the share, replaces the user's earlier one, and drops expired ones. */
  addShare: assignContext(({ context, event }) => {
    assertEvent(event, 'share');
    const others = context.shares.filter(
      (one) => one.userId !== event.share.userId && one.expiresAt > event.at,
    );
    return { shares: [...others, event.share] };
  }),
  /** Removes the share. */
  dropShare: assignContext(({ context, event }) => {
    assertEvent(event, 'unshare');
    return { shares: context.shares.filter((one) => one.id !== event.shareId) };
  }),
  /** Tells the clients of the new share. */
  emitShared: emitFrame(({ event }) => {
    assertEvent(event, 'share');
    const { id, userId, access, expiresAt } = event.share;
    return { type: 'shared', share_id: id, user_id: userId, access, expires_at: expiresAt };
  }),
  /** Tells the clients which share ended. */
  emitUnshared: emitFrame(({ context, event }) => {
    assertEvent(event, 'unshare');
    const userId = context.shares.find((one) => one.id === event.shareId)?.userId ?? '';
    return { type: 'unshared', share_id: event.shareId, user_id: userId };
  }),
};
