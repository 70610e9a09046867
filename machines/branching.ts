/**
 * Branching: a client takes turns back and asks again, or copies the turns so far into a new session.
 *
 * The host reads the transcript for the machine. It adds the retracted turns to `regenerate`, and sends `fork` once the
 * new session is stored.
 */
import { assertEvent } from 'xstate';
import { type ActionArgs, assignContext, emitEffects, emitFrame, emitFrames } from './action.ts';
import type { Retraction, SessionEvent } from './vocabulary.ts';

function retractionIn(event: SessionEvent): Retraction {
  assertEvent(event, 'regenerate');
  if (event.retraction === undefined) throw new Error('the host read no turns to retract');
  return event.retraction;
}

export const branchingGuards = {
  /** The session has taken this request before. */
  isRepeated: ({ event }: ActionArgs) => event.type === 'regenerate' && event.isRepeat === true,
  /** The request names no turn of this session. */
  namesNoTurn: ({ event }: ActionArgs) => event.type === 'regenerate' && event.retraction === undefined,
  /**
   * Another user wrote one of the questions. A user must not take back what another user asked, nor have it answered at
   * that user's expense.
   */
  isOfAnotherAuthor: ({ event }: ActionArgs) => {
    if (event.type !== 'regenerate' || event.author === undefined) return false;
    const { author, isOneAuthor } = retractionIn(event);
    return !isOneAuthor || author !== event.author;
  },
};

export const branchingActions = {
  /** Removes the retracted turns from the transcript. */
  forgetRetracted: emitEffects(({ event }) =>
    retractionIn(event).turnIds.map((turnId) => ({ type: 'forget', turnId })),
  ),
  /** Tells the clients of each retracted turn. */
  emitRetracted: emitFrames(({ event }) =>
    retractionIn(event).turnIds.map((turn_id) => ({ type: 'turn.retracted', turn_id })),
  ),
  /** Takes the retracted turns out of the number of turns. */
  uncountRetracted: assignContext(({ context, event }) => ({
    turnCount: Math.max(0, context.turnCount - retractionIn(event).turnIds.length),
  })),
  /** Tells the clients that the turns were copied into a new session. */
  emitForked: emitFrame(({ event }) => {
    assertEvent(event, 'fork');
    const { messageId, sessionId, turnId } = event;
    const last = turnId === null ? {} : { after: turnId };
    return { type: 'forked', message_id: messageId, session_id: sessionId, ...last };
  }),
};
