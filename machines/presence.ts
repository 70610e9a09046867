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
  isLastToLeave: ({ context, event }: ActionArgs) =>
    event.type === 'detach' &&
    event.userId === undefined &&
    context.attached.every((instance) => instance === event.instance),
  anyAttached: ({ context }: ActionArgs) => context.attached.length > 0,
};

export const presenceActions = {
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
  emitArrival: emitFrames(({ context, event }) => {
    if (event.type !== 'attach' || event.userId === undefined || context.shares.length === 0) return [];
    if (context.present.some((one) => one.userId === event.userId)) return [];
    return [{ type: 'presence', user_id: event.userId, event: 'joined' }];
  }),
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
