/**
 * The running turn: it begins from the queue, may be retried or start over, and ends with exactly one of completed, failed
 * or cancelled. The machine never carries the turn's text; its host does.
 */
import { type ActionArgs, assignContext, atOf, emitEffect, emitFrame } from './action.ts';
import { extrasOf, firstWaiting, waiting } from './queue.ts';
import type {
  CancelReason,
  GenerationError,
  GenerationOutput,
  Question,
  SessionContext,
  SessionEvent,
  Turn,
} from './vocabulary.ts';

export function runningTurn({ turn }: SessionContext): Turn {
  if (turn === null) throw new Error('no turn is running');
  return turn;
}

const messageOf = (turn: Turn): string => turn.messageIds.at(-1) ?? '';
const named = (turn: Turn) => ({ turn_id: turn.id, message_id: messageOf(turn) });

/** XState's own events carry the end of a generation; the vocabulary does not name them. */
const outputIn = (event: SessionEvent): GenerationOutput =>
  (event as unknown as { readonly output: GenerationOutput }).output;
export const errorIn = (event: SessionEvent): GenerationError =>
  (event as unknown as { readonly error: GenerationError }).error;
const questionIn = (event: SessionEvent): Question =>
  errorIn(event).startOver ?? { content: '', author: null };
const restartsAfter = (turn: Turn): number => (turn.restarts ?? 0) + 1;

/** A cancel that names nothing means the turn that runs. */
const namesTurn = (event: Extract<SessionEvent, { type: 'cancel' }>, turn: Turn): boolean =>
  event.turnId === undefined && event.messageId === undefined
    ? true
    : event.turnId === turn.id ||
      (event.messageId !== undefined && turn.messageIds.includes(event.messageId));

export const turnGuards = {
  /** A turn runs. */
  turnRunning: ({ context }: ActionArgs) => context.turn !== null,
  /** The cancel names the running turn, or nothing. */
  namesRunningTurn: ({ context, event }: ActionArgs) =>
    event.type === 'cancel' && context.turn !== null && namesTurn(event, context.turn),
  /** The stored text cannot be continued. */
  mustStartOver: ({ event }: ActionArgs) => errorIn(event).startOver !== undefined,
  /** The failure may pass, and an attempt is left. */
  canRetry: ({ context, event }: ActionArgs) =>
    errorIn(event).retryable && runningTurn(context).attempt < context.limits.attemptsMax,
  /** The turn was resumed less often than it may be. */
  canResume: ({ context }: ActionArgs) => runningTurn(context).resumed < context.limits.resumesMax,
};

export const turnActions = {
  /** Stores the question in the transcript. */
  recordQuestion: emitEffect(({ context, event }) => {
    const { turnId, content, author } = firstWaiting(context);
    return { type: 'question', turnId, content, author: author ?? null, at: atOf(event) };
  }),
  /** Tells the clients that the turn started. */
  emitStarted: emitFrame(({ context }) => {
    const next = firstWaiting(context);
    return {
      type: 'turn.started',
      turn_id: next.turnId,
      message_id: next.messageIds.at(-1) ?? '',
      queued: waiting(context) - next.messageIds.length,
      content: next.content,
      ...(typeof next.author === 'string' ? { author: next.author } : {}),
      ...(next.messageIds.length > 1 ? { message_ids: next.messageIds } : {}),
      ...(next.tags === undefined ? {} : { tags: next.tags }),
    };
  }),
  /** Makes the first waiting message the running turn. */
  takeNext: assignContext(({ context }) => {
    const next = firstWaiting(context);
    const { turnId, messageIds, options } = next;
    const begun = { attempt: 1, resumed: 0, failedReplica: null };
    const turn: Turn = { id: turnId, messageIds, options, ...begun, ...extrasOf(next) };
    return { turn, queue: context.queue.slice(1), turnCount: context.turnCount + 1 };
  }),

  /** Counts the failed attempt, and avoids its replica. */
  countAttempt: assignContext(({ context, event }) => {
    const turn = runningTurn(context);
    const failedReplica = errorIn(event).replica;
    return { turn: { ...turn, attempt: turn.attempt + 1, resumed: turn.resumed + 1, failedReplica } };
  }),
  /**
   * Tells the clients that the answer starts over. Repeats the frame under the same turn: a client that ignores `restarts`
   * clears its text as well.
   */
  emitStartedOver: emitFrame(({ context, event }) => {
    const turn = runningTurn(context);
    const { content, author } = questionIn(event);
    return {
      type: 'turn.started',
      ...named(turn),
      queued: waiting(context),
      content,
      ...(author === null ? {} : { author }),
      ...(turn.messageIds.length > 1 ? { message_ids: turn.messageIds } : {}),
      ...(turn.tags === undefined ? {} : { tags: turn.tags }),
      restarts: restartsAfter(turn),
    };
  }),
  /** Counts that the answer started over. */
  countRestart: assignContext(({ context }) => {
    const turn = runningTurn(context);
    return { turn: { ...turn, restarts: restartsAfter(turn) } };
  }),
  /** Counts that a new owner continues the turn. */
  countResume: assignContext(({ context }) => {
    const turn = runningTurn(context);
    return { turn: { ...turn, resumed: turn.resumed + 1 } };
  }),

  /** Tells the clients that the answer is complete. */
  emitCompleted: emitFrame(({ context, event }) => {
    const turn = runningTurn(context);
    const output = outputIn(event);
    return {
      type: 'turn.completed',
      ...named(turn),
      finish_reason: output.finishReason,
      usage: output.usage,
      metadata: {
        inference_time_ms: output.totalMs,
        time_to_first_token_ms: output.firstTokenMs,
        model: output.model,
        temperature: output.temperature,
        max_tokens: output.maxTokens,
        conversation_count: context.turnCount,
        replica: output.replica,
        resumed: turn.resumed,
        simulated: output.simulated,
        completed_at: atOf(event),
        ...(output.window === undefined ? {} : { window: output.window }),
      },
    };
  }),
  /** Tells the clients that the turn failed. */
  emitFailed: emitFrame<{ readonly code?: string }>(({ context, event }, { code }) => ({
    type: 'turn.failed',
    ...named(runningTurn(context)),
    code: code ?? errorIn(event).code,
  })),
  /** Tells the clients that the turn was cancelled, and why. */
  emitCancelled: emitFrame<{ readonly reason: CancelReason }>(({ context }, { reason }) => ({
    type: 'turn.cancelled',
    ...named(runningTurn(context)),
    reason,
  })),
  /** Stores the text so far in the transcript. */
  recordAnswer: emitEffect(({ context, event }) => ({
    type: 'answer',
    turnId: runningTurn(context).id,
    at: atOf(event),
  })),
  /** Removes the turn from the transcript. */
  forgetTurn: emitEffect(({ context }) => ({ type: 'forget', turnId: runningTurn(context).id })),
  /** Notes the replica that answered, for the next turn. */
  assignReplica: assignContext(({ event }) => ({ lastReplica: outputIn(event).replica })),
  /** No turn runs any more. */
  endTurn: assignContext(() => ({ turn: null })),
  /** Takes the turn out of the number of turns. */
  uncountTurn: assignContext(({ context }) => ({ turnCount: context.turnCount - 1 })),
};
