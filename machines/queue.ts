/**
 * The queue of messages that wait for their turn, and the overlap policies for a message that comes while a turn runs.
 *
 * A session takes a message exactly once: the transition that queues the message also stores its id.
 */
import { assertEvent } from 'xstate';
import { type ActionArgs, assignContext, emitEffect, emitFrame } from './action.ts';
import { matchOf, takenIdOf } from './message-id.ts';
import type { OverlapPolicy, QueuedMessage, SessionContext, SessionEvent } from './vocabulary.ts';

type MessageEvent = Extract<SessionEvent, { type: 'message' }>;

function messageIn(event: SessionEvent): MessageEvent {
  assertEvent(event, 'message');
  return event;
}

/** Waiting messages; each merged message counts. */
export const waiting = ({ queue }: SessionContext): number =>
  queue.reduce((sum, queued) => sum + queued.messageIds.length, 0);

/** The message of the next turn. */
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
  messageWaiting: ({ context }: ActionArgs) => context.queue.length > 0,
  isTakenAlready: ({ context, event }: ActionArgs) =>
    event.type === 'message' &&
    [context.turn, ...context.queue].some(
      (one) => one !== null && matchOf(event.messageId, one.messageIds) !== 'none',
    ),
  policyRejects: ({ event }: ActionArgs) => hasPolicy(event, 'reject'),
  policyInterrupts: ({ event }: ActionArgs) => hasPolicy(event, 'interrupt'),
  policyRollsBack: ({ event }: ActionArgs) => hasPolicy(event, 'rollback'),
  policyMerges: ({ context, event }: ActionArgs) =>
    hasPolicy(event, 'merge') && context.queue.at(-1)?.policy === 'merge',
  queueIsFull: ({ context }: ActionArgs) => waiting(context) >= context.limits.queueMax,
};

export const queueActions = {
  takeId: emitEffect(({ event }) => ({ type: 'taken', messageId: takenIdOf(messageIn(event).messageId) })),
  enqueue: assignContext(({ context, event }) => ({
    queue: [...context.queue, queuedFrom(messageIn(event))],
  })),
  enqueueFirst: assignContext(({ context, event }) => ({
    queue: [queuedFrom(messageIn(event)), ...context.queue],
  })),
  enqueueMerged: assignContext(({ context, event }) => {
    const message = messageIn(event);
    const last = context.queue.at(-1);
    const tail = last === undefined ? queuedFrom(message) : mergedWith(last, message);
    return { queue: [...context.queue.slice(0, -1), tail] };
  }),
  emitQueued: emitFrame(({ context, event }) => ({
    type: 'message.queued',
    message_id: messageIn(event).messageId,
    position: context.queue.length,
  })),
};
