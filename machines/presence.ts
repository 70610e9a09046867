/**
 * Presence of clients in a session. `attached` lists the instances with a socket; without any, the session is idle.
 * `present` lists the users of those sockets; only shared sessions announce them.
 */
import { mayWrite } from './access.ts';
import { type ActionArgs, assignContext, emitFrames } from './action.ts';
import type { Present, SessionContext } from './vocabulary.ts';

const isPresent = (context: SessionContext, userId: string | undefined, instance: string): boolean =>
  userId === undefined || context.present.some((one) => one.userId === userId && one.instance === instance);

export const presenceGuards = {
  /** The instance that leaves is the last one with a socket of the session. */
  isLastToLeave: ({ context, event }: ActionArgs) =>
    event.type === 'detach' &&
    event.userId === undefined &&
    context.attached.every((instance) => instance === event.instance),
  /** An instance holds a socket of the session. */
  anyAttached: ({ context }: ActionArgs) => context.attached.length > 0,
};

export const presenceActions = {
  /** Adds the instance and the user, and takes names that the client brings. */
  join: assignContext(({ context, event }) => {
    if (event.type !== 'attach') return {};
    // A reader attaches too, and must not change the names of the session.
    const { clientId, diagnosisId, tags } = mayWrite(context, event) ? event : context;
    return {
      connectedAt: event.at,
      attached: context.attached.includes(event.instance)
        ? context.attached
        : [...context.attached, event.instance],
      clientId: clientId ?? context.clientId,
      userId: context.userId ?? event.userId ?? null,
      diagnosisId: diagnosisId ?? context.diagnosisId,
      ...(tags === undefined ? {} : { tags }),
      present: isPresent(context, event.userId, event.instance)
        ? context.present
        : [...context.present, { userId: event.userId ?? '', instance: event.instance }],
    };
  }),
  /** Removes the instance, or one of its users. */
  leave: assignContext(({ context, event }) => {
    if (event.type !== 'detach') return {};
    const { instance, userId } = event;
    if (userId === undefined)
      return {
        attached: context.attached.filter((one) => one !== instance),
        present: context.present.filter((one) => one.instance !== instance),
      };
    return { present: context.present.filter((one) => one.instance !== instance || one.userId !== userId) };
  }),
  /** Announces a user that joins a shared session. */
  emitArrival: emitFrames(({ context, event }) => {
    if (event.type !== 'attach' || event.userId === undefined || context.shares.length === 0) return [];
    if (context.present.some((one) => one.userId === event.userId)) return [];
    return [{ type: 'presence', user_id: event.userId, event: 'joined' }];
  }),
  /** Announces the users of a shared session that leave with this instance. */
  emitDeparture: emitFrames(({ context, event }) => {
    if (event.type !== 'detach') return [];
    // Without shares only a guest is announced: the guest whose share was the last one.
    const leaves = (one: Present) =>
      one.instance === event.instance &&
      (event.userId === undefined || one.userId === event.userId) &&
      (context.shares.length > 0 || one.userId !== context.userId);
    const staying = new Set(context.present.filter((one) => !leaves(one)).map((one) => one.userId));
    return context.present
      .filter((one) => leaves(one) && !staying.has(one.userId))
      .map(({ userId }) => ({ type: 'presence', user_id: userId, event: 'left' }));
  }),
};
