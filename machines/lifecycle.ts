/** Actions of the session as a whole: state, patient data, refusals, end. */
import { assertEvent } from 'xstate';
import { mayWrite } from './access.ts';
import { assignContext, emitEffect, emitFrame } from './action.ts';
import type { RefusalCode } from './effects.ts';
import type { EndReason, TopState } from './vocabulary.ts';

export const lifecycleActions = {
  /** Tells the clients the new state. */
  emitState: emitFrame<{ readonly value: TopState }>((_, { value }) => ({ type: 'state', value })),
  /** Stores the patient data that a writing client brings. */
  updatePatient: assignContext(({ context, event }) => {
    assertEvent(event, ['attach', 'message']);
    // A reader attaches too, and must not change the patient.
    if (event.patient === undefined || !mayWrite(context, event)) return {};
    return { patient: event.patient };
  }),
  /** Stores a summary of earlier turns for the prompt. */
  recordSummary: emitEffect(({ event }) => {
    assertEvent(event, 'summarised');
    return { type: 'summary', through: event.through, content: event.content, at: event.at };
  }),
  /** Refuses the event with an error code; nothing changes. */
  refuse: emitEffect<{ readonly code: RefusalCode }>(({ event }, { code }) => ({
    type: 'refused',
    code,
    ...('messageId' in event && event.type !== 'cancel' ? { messageId: event.messageId } : {}),
  })),
  /** Notes why the session ends, and whether its content is erased. */
  end: assignContext<{ readonly reason?: EndReason }>(({ event }, { reason }) => ({
    endReason: reason ?? (event.type === 'close' ? event.reason : 'closed'),
    erased: event.type === 'close' && event.erase === true,
  })),
  /** Tells the clients that the session ended, and why. */
  emitExpired: emitFrame(({ context }) => ({ type: 'expired', reason: context.endReason ?? 'closed' })),
};
