/**
 * How an action of the session machine is written: it remembers something (a change of the context), or it asks the
 * host for something (an effect), which most often is to say a frame to the client. There is no third kind.
 */
import { assign, emit, enqueueActions } from 'xstate';
import type { FrameBody, SessionContext, SessionEffect, SessionEvent, SessionInput } from './vocabulary.ts';

/** What every action, guard and delay is given. */
export interface ActionArgs {
  readonly context: SessionContext;
  readonly event: SessionEvent;
}

type Params = Readonly<Record<string, unknown>> | undefined;

export const assignContext = <P extends Params = undefined>(
  change: (heard: ActionArgs, params: P) => Partial<SessionContext>,
) => assign<SessionContext, SessionEvent, P, SessionEvent, never>(change);

export const emitEffect = <P extends Params = undefined>(
  effect: (heard: ActionArgs, params: P) => SessionEffect,
) => emit<SessionContext, SessionEvent, P, SessionEvent, SessionEffect>(effect);

export const emitFrame = <P extends Params = undefined>(body: (heard: ActionArgs, params: P) => FrameBody) =>
  emitEffect<P>((heard, params) => ({ type: 'frame', frame: body(heard, params) }));

/** For what is said once for each of many, or of none. */
export const emitFrames = (bodies: (heard: ActionArgs) => readonly FrameBody[]) =>
  enqueueActions<
    SessionContext,
    SessionEvent,
    undefined,
    SessionEvent,
    never,
    never,
    never,
    never,
    SessionEffect
  >(({ context, event, enqueue }) => {
    for (const frame of bodies({ context, event })) enqueue.emit({ type: 'frame', frame });
  });

/** Time of the event; the first one (`xstate.init`) carries it in the machine's input. */
export function atOf(event: { readonly type: string }): number {
  const dated = event as { readonly at?: number; readonly input?: SessionInput };
  return dated.at ?? dated.input?.at ?? 0;
}
