/** An action of the session machine assigns to the context, or emits an effect for its host: most often a frame. */
import { assign, emit, enqueueActions } from 'xstate';
import type { FrameBody, SessionContext, SessionEffect, SessionEvent, SessionInput } from './vocabulary.ts';

/** Arguments of every action, guard and delay. */
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

/** Emits any number of frames, also none. */
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

/** The event's time. The first event, `xstate.init`, carries it in the machine's input. */
export function atOf(event: { readonly type: string }): number {
  const dated = event as { readonly at?: number; readonly input?: SessionInput };
  return dated.at ?? dated.input?.at ?? 0;
}
