/**
 * The session statechart: the whole behaviour of one conversation, readable, drawable and testable.
 *
 * It is never run by XState. The stepper computes one transition at a time, the result is stored, and only then are
 * its effects carried out; `invoke` and `after` declare jobs and deadlines that the actor keeps as data.
 *
 * Every turn passes through the queue: `processing.next` takes the first waiting message or leaves for
 * `connected` or `idle`. So one rule starts turns, whether the message came alone, waited, or interrupted.
 */
import { assign, emit, enqueueActions, fromPromise, setup } from 'xstate';
import { accessOf, sharesAreFull } from './access.ts';
import type {
  EndReason,
  FrameBody,
  GenerationError,
  GenerationInput,
  GenerationOutput,
  Present,
  QueuedMessage,
  RefusalCode,
  SessionContext,
  SessionEffect,
  SessionEvent,
  SessionInput,
  TopState,
  Turn,
} from './vocabulary.ts';

type MessageEvent = Extract<SessionEvent, { type: 'message' }>;
interface Args {
  readonly context: SessionContext;
  readonly event: { readonly type: string };
}

const frame = (body: FrameBody): SessionEffect => ({ type: 'frame', frame: body });

/** Time of the event; the first one (`xstate.init`) carries it in the machine's input. */
function atOf(event: { readonly type: string }): number {
  const dated = event as { readonly at?: number; readonly input?: SessionInput };
  return dated.at ?? dated.input?.at ?? 0;
}

function runningTurn(context: SessionContext): Turn {
  if (context.turn === null) throw new Error('no turn is running');
  return context.turn;
}

const messageOf = (turn: Turn): string => turn.messageIds.at(-1) ?? '';
const asMessage = (event: { readonly type: string }): MessageEvent => event as MessageEvent;
const isHere = (context: SessionContext, userId: string | undefined, instance: string): boolean =>
  userId === undefined || context.present.some((one) => one.userId === userId && one.instance === instance);
const waiting = (context: SessionContext): number =>
  context.queue.reduce((sum, queued) => sum + queued.messageIds.length, 0);

/** A warning longer than half of what it warns of would be said at once; half is the most that makes sense. */
const warnMs = ({ limits }: SessionContext, wholeMs: number): number => Math.min(limits.warnMs, wholeMs / 2);
export const idleEndsAt = (context: SessionContext): number => context.lastActivityAt + context.limits.idleMs;
export const absoluteEndsAt = (context: SessionContext): number =>
  context.createdAt + context.limits.absoluteMs;
const until = (dueAt: number, event: { readonly type: string }): number => Math.max(0, dueAt - atOf(event));

const queuedFrom = (event: MessageEvent): QueuedMessage => ({
  turnId: event.turnId,
  messageIds: [event.messageId],
  content: event.content,
  ...(event.author === undefined ? {} : { author: event.author }),
  policy: event.policy,
  options: event.options,
});

export const sessionMachine = setup({
  types: {
    context: {} as SessionContext,
    events: {} as SessionEvent,
    input: {} as SessionInput,
    emitted: {} as SessionEffect,
    children: {} as { generation: 'generation' },
  },
  actors: {
    /** A contract only: the session actor runs generations, XState never does. */
    generation: fromPromise<GenerationOutput, GenerationInput>(() =>
      Promise.reject(new Error('generations are run by the session actor')),
    ),
  },
  delays: {
    idleWarning: ({ context, event }) =>
      until(idleEndsAt(context) - warnMs(context, context.limits.idleMs), event),
    idleEnd: ({ context, event }) => until(idleEndsAt(context), event),
    absoluteWarning: ({ context, event }) =>
      until(absoluteEndsAt(context) - warnMs(context, context.limits.absoluteMs), event),
    absoluteEnd: ({ context, event }) => until(absoluteEndsAt(context), event),
    retryDelay: ({ context }) => Math.min(100 * 2 ** Math.max(0, (context.turn?.attempt ?? 2) - 2), 5_000),
  },
  guards: {
    isLastToLeave: ({ context, event }) =>
      event.type === 'detach' &&
      event.userId === undefined &&
      context.attached.every((instance) => instance === event.instance),
    someoneAttached: ({ context }) => context.attached.length > 0,
    mayNotEnter: ({ context, event }) =>
      event.type === 'attach' && accessOf(context, event.userId, event.at) === 'none',
    mayNotWrite: ({ context, event }) =>
      event.type === 'message' && !['owner', 'write'].includes(accessOf(context, event.author, event.at)),
    sharesAreFull: ({ context, event }) =>
      event.type === 'share' && sharesAreFull(context, event.share.userId, event.at),
    knowsShare: ({ context, event }) =>
      event.type === 'unshare' && context.shares.some((one) => one.id === event.shareId),
    turnRunning: ({ context }) => context.turn !== null,
    namesRunningTurn: ({ context, event }) =>
      event.type === 'cancel' &&
      context.turn !== null &&
      (event.turnId === undefined || event.turnId === context.turn.id),
    messageWaiting: ({ context }) => context.queue.length > 0,
    isTakenAlready: ({ context, event }) =>
      event.type === 'message' &&
      [context.turn, ...context.queue].some((one) => one?.messageIds.includes(event.messageId) === true),
    policyRejects: ({ event }) => event.type === 'message' && event.policy === 'reject',
    policyInterrupts: ({ event }) => event.type === 'message' && event.policy === 'interrupt',
    policyRollsBack: ({ event }) => event.type === 'message' && event.policy === 'rollback',
    policyMerges: ({ context, event }) =>
      event.type === 'message' && event.policy === 'merge' && context.queue.at(-1)?.policy === 'merge',
    queueIsFull: ({ context }) => waiting(context) >= context.limits.queueMax,
    canRetry: ({ context, event }) => {
      const error = (event as unknown as { readonly error: GenerationError }).error;
      return error.retryable && runningTurn(context).attempt < context.limits.attemptsMax;
    },
    canResume: ({ context }) => runningTurn(context).resumed < context.limits.resumesMax,
    alreadyWarned: ({ context }) => context.warned,
  },
  actions: {
    // what is remembered
    touch: assign({ lastActivityAt: ({ event }) => atOf(event), warned: false }),
    join: assign(({ context, event }) => {
      if (event.type !== 'attach') return {};
      return {
        connectedAt: event.at,
        attached: context.attached.includes(event.instance)
          ? context.attached
          : [...context.attached, event.instance],
        clientId: event.clientId ?? context.clientId,
        userId: context.userId ?? event.userId ?? null,
        diagnosisId: event.diagnosisId ?? context.diagnosisId,
        present: isHere(context, event.userId, event.instance)
          ? context.present
          : [...context.present, { userId: event.userId ?? '', instance: event.instance }],
      };
    }),
    leave: assign(({ context, event }) => {
      if (event.type !== 'detach') return {};
      const { instance, userId } = event;
      if (userId === undefined)
        return {
          attached: context.attached.filter((one) => one !== instance),
          present: context.present.filter((one) => one.instance !== instance),
        };
      return { present: context.present.filter((one) => one.instance !== instance || one.userId !== userId) };
    }),
    learn: assign({
      patient: ({ context, event }) =>
        event.type === 'message' && event.patient !== undefined ? event.patient : context.patient,
    }),
    addShare: assign({
      shares: ({ context, event }) =>
        event.type === 'share'
          ? [
              ...context.shares.filter(
                (one) => one.userId !== event.share.userId && one.expiresAt > event.at,
              ),
              event.share,
            ]
          : context.shares,
    }),
    dropShare: assign({
      shares: ({ context, event }) =>
        event.type === 'unshare' ? context.shares.filter((one) => one.id !== event.shareId) : context.shares,
    }),
    enqueue: assign({ queue: ({ context, event }) => [...context.queue, queuedFrom(asMessage(event))] }),
    enqueueFirst: assign({ queue: ({ context, event }) => [queuedFrom(asMessage(event)), ...context.queue] }),
    enqueueMerged: assign({
      queue: ({ context, event }) => {
        const message = asMessage(event);
        const last = context.queue.at(-1);
        if (last === undefined) return [queuedFrom(message)];
        const merged: QueuedMessage = {
          ...last,
          messageIds: [...last.messageIds, message.messageId],
          content: `${last.content}\n\n${message.content}`,
          options: { ...last.options, ...message.options },
        };
        return [...context.queue.slice(0, -1), merged];
      },
    }),
    takeNext: assign(({ context }) => {
      const [next, ...rest] = context.queue;
      if (next === undefined) return {};
      const turn: Turn = {
        id: next.turnId,
        messageIds: next.messageIds,
        options: next.options,
        attempt: 1,
        resumed: 0,
        failedReplica: null,
      };
      return { turn, queue: rest, turnCount: context.turnCount + 1 };
    }),
    countAttempt: assign({
      turn: ({ context, event }) => {
        const turn = runningTurn(context);
        const { error } = event as unknown as { readonly error: GenerationError };
        return {
          ...turn,
          attempt: turn.attempt + 1,
          resumed: turn.resumed + 1,
          failedReplica: error.replica,
        };
      },
    }),
    countResume: assign({
      turn: ({ context }) => ({ ...runningTurn(context), resumed: runningTurn(context).resumed + 1 }),
    }),
    endTurn: assign({ turn: null }),
    uncountTurn: assign({ turnCount: ({ context }) => context.turnCount - 1 }),
    rememberReplica: assign({
      lastReplica: ({ event }) => (event as unknown as { readonly output: GenerationOutput }).output.replica,
    }),
    rememberWarning: assign({ warned: true }),
    end: assign({
      endReason: ({ event }, params: { readonly reason?: EndReason }) =>
        params.reason ?? (event.type === 'close' ? event.reason : 'closed'),
      erased: ({ event }) => event.type === 'close' && event.erase === true,
    }),

    // what is asked of the host
    takeId: emit(
      ({ event }: Args): SessionEffect => ({ type: 'taken', messageId: asMessage(event).messageId }),
    ),
    recordQuestion: emit(({ context, event }: Args): SessionEffect => {
      const [next] = context.queue;
      if (next === undefined) throw new Error('no message is waiting');
      return {
        type: 'question',
        turnId: next.turnId,
        content: next.content,
        author: next.author ?? null,
        at: atOf(event),
      };
    }),
    recordAnswer: emit(
      ({ context, event }: Args): SessionEffect => ({
        type: 'answer',
        turnId: runningTurn(context).id,
        at: atOf(event),
      }),
    ),
    forgetTurn: emit(
      ({ context }: Args): SessionEffect => ({ type: 'forget', turnId: runningTurn(context).id }),
    ),
    refuse: emit(
      ({ event }: Args, params: { readonly code: RefusalCode }): SessionEffect => ({
        type: 'refused',
        code: params.code,
        ...(event.type === 'message' ? { messageId: asMessage(event).messageId } : {}),
      }),
    ),

    // what is said
    sayState: emit(
      (_: Args, params: { readonly value: TopState }): SessionEffect =>
        frame({ type: 'state', value: params.value }),
    ),
    sayStarted: emit(({ context }: Args): SessionEffect => {
      const [next] = context.queue;
      if (next === undefined) throw new Error('no message is waiting');
      return frame({
        type: 'turn.started',
        turn_id: next.turnId,
        message_id: next.messageIds.at(-1) ?? '',
        queued: waiting(context) - next.messageIds.length,
        content: next.content,
        ...(typeof next.author === 'string' ? { author: next.author } : {}),
        ...(next.messageIds.length > 1 ? { message_ids: next.messageIds } : {}),
      });
    }),
    sayArrival: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'attach' || event.userId === undefined || context.shares.length === 0) return;
      if (context.present.some((one) => one.userId === event.userId)) return;
      enqueue.emit(frame({ type: 'presence', user_id: event.userId, event: 'joined' }));
    }),
    sayDeparture: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'detach') return;
      // Whose invitation was the last one is still heard leaving; an owner alone is nobody's business.
      const leaves = (one: Present) =>
        one.instance === event.instance &&
        (event.userId === undefined || one.userId === event.userId) &&
        (context.shares.length > 0 || one.userId !== context.userId);
      const staying = new Set(context.present.filter((one) => !leaves(one)).map((one) => one.userId));
      for (const { userId } of context.present.filter(leaves))
        if (!staying.has(userId)) enqueue.emit(frame({ type: 'presence', user_id: userId, event: 'left' }));
    }),
    sayShared: emit(({ event }: Args): SessionEffect => {
      const { share } = event as Extract<SessionEvent, { type: 'share' }>;
      return frame({
        type: 'shared',
        share_id: share.id,
        user_id: share.userId,
        access: share.access,
        expires_at: share.expiresAt,
      });
    }),
    sayUnshared: emit(({ context, event }: Args): SessionEffect => {
      const { shareId } = event as Extract<SessionEvent, { type: 'unshare' }>;
      const userId = context.shares.find((one) => one.id === shareId)?.userId ?? '';
      return frame({ type: 'unshared', share_id: shareId, user_id: userId });
    }),
    recordSummary: emit(({ event }: Args): SessionEffect => {
      const { through, content } = event as Extract<SessionEvent, { type: 'summarised' }>;
      return { type: 'summary', through, content, at: atOf(event) };
    }),
    sayCompleted: emit(({ context, event }: Args): SessionEffect => {
      const turn = runningTurn(context);
      const { output } = event as unknown as { readonly output: GenerationOutput };
      return frame({
        type: 'turn.completed',
        turn_id: turn.id,
        message_id: messageOf(turn),
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
      });
    }),
    sayFailed: emit(({ context, event }: Args, params: { readonly code?: string }): SessionEffect => {
      const turn = runningTurn(context);
      const code = params.code ?? (event as unknown as { readonly error: GenerationError }).error.code;
      return frame({ type: 'turn.failed', turn_id: turn.id, message_id: messageOf(turn), code });
    }),
    sayCancelled: emit(
      (
        { context }: Args,
        params: { readonly reason: 'client' | 'interrupt' | 'rollback' },
      ): SessionEffect => {
        const turn = runningTurn(context);
        return frame({
          type: 'turn.cancelled',
          turn_id: turn.id,
          message_id: messageOf(turn),
          reason: params.reason,
        });
      },
    ),
    sayQueued: emit(
      ({ context, event }: Args): SessionEffect =>
        frame({
          type: 'message.queued',
          message_id: asMessage(event).messageId,
          position: context.queue.length,
        }),
    ),
    warnIdle: emit(
      ({ context }: Args): SessionEffect =>
        frame({ type: 'expiring', expires_at: idleEndsAt(context), reason: 'idle' }),
    ),
    warnAbsolute: emit(
      ({ context }: Args): SessionEffect =>
        frame({ type: 'expiring', expires_at: absoluteEndsAt(context), reason: 'absolute' }),
    ),
    sayExpired: emit(
      ({ context }: Args): SessionEffect => frame({ type: 'expired', reason: context.endReason ?? 'closed' }),
    ),
  },
}).createMachine({
  id: 'session',
  context: ({ input }) => ({
    sessionId: input.sessionId,
    clientId: input.clientId,
    userId: input.userId,
    diagnosisId: input.diagnosisId,
    createdAt: input.at,
    connectedAt: input.at,
    lastActivityAt: input.at,
    limits: input.limits,
    attached: [input.instance],
    queue: [],
    turn: null,
    patient: {},
    shares: [],
    present: input.userId === null ? [] : [{ userId: input.userId, instance: input.instance }],
    turnCount: 0,
    lastReplica: null,
    warned: false,
    endReason: null,
    erased: false,
  }),
  initial: 'connected',
  after: {
    absoluteWarning: { actions: 'warnAbsolute' },
    absoluteEnd: [
      {
        guard: 'turnRunning',
        target: '.expired',
        actions: [
          { type: 'sayFailed', params: { code: 'session_expired' } },
          'recordAnswer',
          'endTurn',
          { type: 'end', params: { reason: 'absolute' } },
        ],
      },
      { target: '.expired', actions: { type: 'end', params: { reason: 'absolute' } } },
    ],
  },
  on: {
    close: [
      {
        guard: 'turnRunning',
        target: '.expired',
        actions: [
          { type: 'sayCancelled', params: { reason: 'client' } },
          'recordAnswer',
          'endTurn',
          { type: 'end', params: {} },
        ],
      },
      { target: '.expired', actions: { type: 'end', params: {} } },
    ],
    cancel: { actions: { type: 'refuse', params: { code: 'unknown_turn' } } },
    share: [
      { guard: 'sharesAreFull', actions: { type: 'refuse', params: { code: 'too_many_shares' } } },
      { actions: ['addShare', 'sayShared'] },
    ],
    unshare: { guard: 'knowsShare', actions: ['sayUnshared', 'dropShare'] },
    summarised: { actions: 'recordSummary' },
  },
  states: {
    connected: {
      entry: { type: 'sayState', params: { value: 'connected' } },
      on: {
        attach: [
          { guard: 'mayNotEnter', actions: { type: 'refuse', params: { code: 'forbidden' } } },
          { target: '.fresh', actions: ['sayArrival', 'join', 'touch'] },
        ],
        detach: [
          { guard: 'isLastToLeave', target: 'idle', actions: ['sayDeparture', 'leave'] },
          { actions: ['sayDeparture', 'leave'] },
        ],
        extend: { target: '.fresh', actions: 'touch' },
        message: [
          { guard: 'mayNotWrite', actions: { type: 'refuse', params: { code: 'forbidden' } } },
          { target: 'processing', actions: ['takeId', 'learn', 'enqueue', 'touch'] },
        ],
      },
      initial: 'fresh',
      states: {
        fresh: {
          after: {
            idleWarning: [
              { guard: 'alreadyWarned', target: 'expiring' },
              { target: 'expiring', actions: ['warnIdle', 'rememberWarning'] },
            ],
          },
        },
        expiring: {
          after: {
            idleEnd: { target: '#session.expired', actions: { type: 'end', params: { reason: 'idle' } } },
          },
        },
      },
    },
    processing: {
      entry: { type: 'sayState', params: { value: 'processing' } },
      on: {
        attach: [
          { guard: 'mayNotEnter', actions: { type: 'refuse', params: { code: 'forbidden' } } },
          { actions: ['sayArrival', 'join', 'touch'] },
        ],
        detach: { actions: ['sayDeparture', 'leave'] },
        extend: { actions: 'touch' },
        message: [
          { guard: 'mayNotWrite', actions: { type: 'refuse', params: { code: 'forbidden' } } },
          { guard: 'isTakenAlready', actions: { type: 'refuse', params: { code: 'duplicate_message' } } },
          { guard: 'policyRejects', actions: { type: 'refuse', params: { code: 'session_busy' } } },
          {
            guard: 'policyInterrupts',
            target: '.next',
            actions: [
              { type: 'sayCancelled', params: { reason: 'interrupt' } },
              'recordAnswer',
              'endTurn',
              'takeId',
              'learn',
              'enqueueFirst',
              'touch',
            ],
          },
          {
            guard: 'policyRollsBack',
            target: '.next',
            actions: [
              { type: 'sayCancelled', params: { reason: 'rollback' } },
              'forgetTurn',
              'endTurn',
              'uncountTurn',
              'takeId',
              'learn',
              'enqueueFirst',
              'touch',
            ],
          },
          { guard: 'queueIsFull', actions: { type: 'refuse', params: { code: 'queue_full' } } },
          { guard: 'policyMerges', actions: ['takeId', 'learn', 'enqueueMerged', 'sayQueued', 'touch'] },
          { actions: ['takeId', 'learn', 'enqueue', 'sayQueued', 'touch'] },
        ],
        cancel: [
          {
            guard: 'namesRunningTurn',
            target: '.next',
            actions: [
              { type: 'sayCancelled', params: { reason: 'client' } },
              'recordAnswer',
              'endTurn',
              'touch',
            ],
          },
          { actions: { type: 'refuse', params: { code: 'unknown_turn' } } },
        ],
        recover: [
          { guard: 'canResume', actions: 'countResume' },
          {
            target: '.next',
            actions: [
              { type: 'sayFailed', params: { code: 'interrupted' } },
              'recordAnswer',
              'endTurn',
              'touch',
            ],
          },
        ],
      },
      initial: 'next',
      states: {
        next: {
          always: [
            {
              guard: 'messageWaiting',
              target: 'generating',
              actions: ['recordQuestion', 'sayStarted', 'takeNext'],
            },
            { guard: 'someoneAttached', target: '#session.connected' },
            { target: '#session.idle' },
          ],
        },
        generating: {
          invoke: {
            id: 'generation',
            src: 'generation',
            input: ({ context }) => ({
              turnId: runningTurn(context).id,
              attempt: runningTurn(context).attempt,
            }),
            onDone: {
              target: 'next',
              actions: ['sayCompleted', 'recordAnswer', 'rememberReplica', 'endTurn', 'touch'],
            },
            onError: [
              { guard: 'canRetry', target: 'recovering', actions: 'countAttempt' },
              {
                target: 'next',
                actions: [{ type: 'sayFailed', params: {} }, 'recordAnswer', 'endTurn', 'touch'],
              },
            ],
          },
        },
        recovering: { after: { retryDelay: 'generating' } },
      },
    },
    idle: {
      entry: { type: 'sayState', params: { value: 'idle' } },
      on: {
        attach: [
          { guard: 'mayNotEnter', actions: { type: 'refuse', params: { code: 'forbidden' } } },
          { target: 'connected', actions: ['sayArrival', 'join', 'touch'] },
        ],
        detach: { actions: ['sayDeparture', 'leave'] },
        extend: { target: '.fresh', actions: 'touch' },
        message: [
          { guard: 'mayNotWrite', actions: { type: 'refuse', params: { code: 'forbidden' } } },
          { target: 'processing', actions: ['takeId', 'learn', 'enqueue', 'touch'] },
        ],
      },
      initial: 'fresh',
      states: {
        fresh: {
          after: {
            idleWarning: [
              { guard: 'alreadyWarned', target: 'expiring' },
              { target: 'expiring', actions: ['warnIdle', 'rememberWarning'] },
            ],
          },
        },
        expiring: {
          after: {
            idleEnd: { target: '#session.expired', actions: { type: 'end', params: { reason: 'idle' } } },
          },
        },
      },
    },
    expired: {
      type: 'final',
      entry: [{ type: 'sayState', params: { value: 'expired' } }, 'sayExpired'],
    },
  },
});

export type SessionMachine = typeof sessionMachine;
