/**
 * The queue of messages that wait for their turn, and the overlap policies for a message that comes while a turn runs.
 *
 * A session takes a message exactly once: the transition that queues the message also stores its id.
 */
import { assertEvent } from 'xstate';
import { type ActionArgs, assignContext, emitEffect, emitFrame, emitFrames } from './action.ts';
import { matchOf, takenIdOf } from './message-id.ts';
import type { OverlapPolicy, QueuedMessage, SessionContext, SessionEvent } from './vocabulary.ts';

type MessageEvent = Extract<SessionEvent, { type: 'message' }>;
/** Both name themselves, and a session takes each once. */
type NamedEvent = Extract<SessionEvent, { type: 'message' | 'regenerate' }>;

function messageIn(event: SessionEvent): MessageEvent {
  assertEvent(event, 'message');
  return event;
}

function namedIn(event: SessionEvent): NamedEvent {
  assertEvent(event, ['message', 'regenerate']);
  return event;
}

type Extras = Pick<QueuedMessage, 'instructions' | 'tags'>;

export const extrasOf = ({ instructions, tags }: Extras): Extras => ({
  ...(instructions === undefined ? {} : { instructions }),
  ...(tags === undefined ? {} : { tags }),
});

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
  ...extrasOf(event),
});

/** The question of the retracted turns, or the one that replaces it. */
const queuedAgain = (event: NamedEvent): QueuedMessage => {
  assertEvent(event, 'regenerate');
  const { turnId, messageId, content, author, retraction, options } = event;
  const writer = content === undefined ? retraction?.author : author;
  return {
    turnId,
    messageIds: [messageId],
    content: content ?? retraction?.content ?? '',
    ...(writer === undefined ? {} : { author: writer }),
    policy: 'queue',
    options,
    ...extrasOf(event),
  };
};

/** The waiting turn that the cancel names. A merged message goes with those that it was merged with. */
const namedWaiting = ({ queue }: SessionContext, event: SessionEvent): QueuedMessage | undefined =>
  event.type === 'cancel'
    ? queue.find(
        ({ turnId, messageIds }) =>
          turnId === event.turnId || (event.messageId !== undefined && messageIds.includes(event.messageId)),
      )
    : undefined;

const mergedWith = (last: QueuedMessage, event: MessageEvent): QueuedMessage => ({
  ...last,
  messageIds: [...last.messageIds, event.messageId],
  content: `${last.content}\n\n${event.content}`,
  options: { ...last.options, ...event.options },
  ...extrasOf(event),
});

const hasPolicy = (event: SessionEvent, policy: OverlapPolicy): boolean =>
  event.type === 'message' && event.policy === policy;

export const queueGuards = {
  /** A message waits for its turn. */
  messageWaiting: ({ context }: ActionArgs) => context.queue.length > 0,
  /** The running turn or a waiting message has the id already. */
  isTakenAlready: ({ context, event }: ActionArgs) =>
    (event.type === 'message' || event.type === 'regenerate') &&
    [context.turn, ...context.queue].some(
      (one) => one !== null && matchOf(event.messageId, one.messageIds) !== 'none',
    ),
  /** The message asks to be refused while a turn runs. */
  policyRejects: ({ event }: ActionArgs) => hasPolicy(event, 'reject'),
  /** The message asks to end the running turn and keep its text. */
  policyInterrupts: ({ event }: ActionArgs) => hasPolicy(event, 'interrupt'),
  /** The message asks to end the running turn and forget it. */
  policyRollsBack: ({ event }: ActionArgs) => hasPolicy(event, 'rollback'),
  /** The message joins the last waiting message, which asks for it as well. */
  policyMerges: ({ context, event }: ActionArgs) =>
    hasPolicy(event, 'merge') && context.queue.at(-1)?.policy === 'merge',
  /** The cancel names a turn or message that still waits. */
  namesWaitingTurn: ({ context, event }: ActionArgs) => namedWaiting(context, event) !== undefined,
  /** As many messages wait as the session may hold. */
  queueIsFull: ({ context }: ActionArgs) => waiting(context) >= context.limits.queueMax,
};

export const queueActions = {
  /** Stores the id of the message, so that the session takes it once. */
  takeId: emitEffect(({ event }) => ({ type: 'taken', messageId: takenIdOf(namedIn(event).messageId) })),
  /** Puts the message at the end of the queue. */
  enqueue: assignContext(({ context, event }) => ({
    queue: [...context.queue, queuedFrom(messageIn(event))],
  })),
  /** Queues the question of the retracted turns, or the one that replaces it. */
  enqueueAgain: assignContext(({ context, event }) => ({
    queue: [...context.queue, queuedAgain(namedIn(event))],
  })),
  /** Takes the waiting message out of the queue. */
  withdraw: assignContext(({ context, event }) => {
    const withdrawn = namedWaiting(context, event);
    return { queue: context.queue.filter((one) => one !== withdrawn) };
  }),
  /** Tells the sender of each withdrawn message. One frame each: every sender waits for its own. */
  emitWithdrawn: emitFrames(({ context, event }) => {
    const withdrawn = namedWaiting(context, event);
    return (withdrawn?.messageIds ?? []).map((message_id) => ({
      type: 'turn.cancelled',
      turn_id: withdrawn?.turnId ?? '',
      message_id,
      reason: 'client',
    }));
  }),
  /** Puts the message at the head of the queue. */
  enqueueFirst: assignContext(({ context, event }) => ({
    queue: [queuedFrom(messageIn(event)), ...context.queue],
  })),
  /** Joins the message to the last waiting one. */
  enqueueMerged: assignContext(({ context, event }) => {
    const message = messageIn(event);
    const last = context.queue.at(-1);
    const tail = last === undefined ? queuedFrom(message) : mergedWith(last, message);
    return { queue: [...context.queue.slice(0, -1), tail] };
  }),
  /** Tells the sender the place of its message in the queue. */
  emitQueued: emitFrame(({ context, event }) => ({
    type: 'message.queued',
    message_id: messageIn(event).messageId,
    position: context.queue.length,
  })),
};
