/** An action of the session machine assigns to the context, or emits an effect for its host, usually a frame. */
import { assign, emit, enqueueActions } from 'xstate';
import type { FrameBody, SessionEffect } from './effects.ts';
import type { SessionContext, SessionEvent, SessionInput } from './vocabulary.ts';

/** Arguments of every action, guard and delay. */
export interface ActionArgs {
  readonly context: SessionContext;
  readonly event: SessionEvent;
}

type Params = Readonly<Record<string, unknown>> | undefined;

export const assignContext = <P extends Params = undefined>(
  change: (args: ActionArgs, params: P) => Partial<SessionContext>,
) => assign<SessionContext, SessionEvent, P, SessionEvent, never>(change);

export const emitEffect = <P extends Params = undefined>(
  effect: (args: ActionArgs, params: P) => SessionEffect,
) => emit<SessionContext, SessionEvent, P, SessionEvent, SessionEffect>(effect);

export const emitFrame = <P extends Params = undefined>(body: (args: ActionArgs, params: P) => FrameBody) =>
  emitEffect<P>((args, params) => ({ type: 'frame', frame: body(args, params) }));

/** Emits any number of frames, including none. */
export const emitFrames = (bodies: (args: ActionArgs) => readonly FrameBody[]) =>
  emitEffects((args) => bodies(args).map((frame) => ({ type: 'frame', frame })));

export const emitEffects = (effects: (args: ActionArgs) => readonly SessionEffect[]) =>
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
    for (const effect of effects({ context, event })) enqueue.emit(effect);
  });

/** The event's time. The first event, `xstate.init`, carries it in the machine's input. */
export function atOf(event: { readonly type: string }): number {
  const dated = event as { readonly at?: number; readonly input?: SessionInput };
  return dated.at ?? dated.input?.at ?? 0;
}
