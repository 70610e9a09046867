/**
 * The messages that wait for their turn, and what becomes of one that comes while a turn runs.
 *
 * A message is taken exactly once: its id is asked to be remembered with the same transition that puts it here.
 */
import { assertEvent } from 'xstate';
import { ask, type Heard, remember, say } from './action.ts';
import { matchOf, takenIdOf } from './message-id.ts';
import type { OverlapPolicy, QueuedMessage, SessionContext, SessionEvent } from './vocabulary.ts';

type MessageEvent = Extract<SessionEvent, { type: 'message' }>;

function messageIn(event: SessionEvent): MessageEvent {
  assertEvent(event, 'message');
  return event;
}

/** How many messages wait; merged ones count each. */
export const waiting = ({ queue }: SessionContext): number =>
  queue.reduce((sum, queued) => sum + queued.messageIds.length, 0);

/** What the next turn is about. */
export function firstWaiting({ queue }: SessionContext): QueuedMessage {
  const [first] = queue;
  if (first === undefined) throw new Error('no message is waiting');
  return first;
}

const queuedFrom = (event: MessageEvent): QueuedMessage => ({
  turnId: event.turnId,
  messageIds: [event.messageId],
  content: event.content,
  ...(event.author === undefined ? {} : { author: event.author }),
  policy: event.policy,
  options: event.options,
});

const mergedWith = (last: QueuedMessage, event: MessageEvent): QueuedMessage => ({
  ...last,
  messageIds: [...last.messageIds, event.messageId],
  content: `${last.content}\n\n${event.content}`,
  options: { ...last.options, ...event.options },
});

const hasPolicy = (event: SessionEvent, policy: OverlapPolicy): boolean =>
  event.type === 'message' && event.policy === policy;

export const queueGuards = {
  messageWaiting: ({ context }: Heard) => context.queue.length > 0,
  isTakenAlready: ({ context, event }: Heard) =>
    event.type === 'message' &&
    [context.turn, ...context.queue].some(
      (one) => one !== null && matchOf(event.messageId, one.messageIds) !== 'none',
    ),
  policyRejects: ({ event }: Heard) => hasPolicy(event, 'reject'),
  policyInterrupts: ({ event }: Heard) => hasPolicy(event, 'interrupt'),
  policyRollsBack: ({ event }: Heard) => hasPolicy(event, 'rollback'),
  policyMerges: ({ context, event }: Heard) =>
    hasPolicy(event, 'merge') && context.queue.at(-1)?.policy === 'merge',
  queueIsFull: ({ context }: Heard) => waiting(context) >= context.limits.queueMax,
};

export const queueActions = {
  takeId: ask(({ event }) => ({ type: 'taken', messageId: takenIdOf(messageIn(event).messageId) })),
  enqueue: remember(({ context, event }) => ({ queue: [...context.queue, queuedFrom(messageIn(event))] })),
  enqueueFirst: remember(({ context, event }) => ({
    queue: [queuedFrom(messageIn(event)), ...context.queue],
  })),
  enqueueMerged: remember(({ context, event }) => {
    const message = messageIn(event);
    const last = context.queue.at(-1);
    const tail = last === undefined ? queuedFrom(message) : mergedWith(last, message);
    return { queue: [...context.queue.slice(0, -1), tail] };
  }),
  sayQueued: say(({ context, event }) => ({
    type: 'message.queued',
    message_id: messageIn(event).messageId,
    position: context.queue.length,
  })),
};
