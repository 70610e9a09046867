/**
 * The session statechart: the whole behaviour of one conversation.
 *
 * XState never runs it. The step computes one transition at a time; the actor stores the result, and carries out its
 * effects only then. `invoke` and `after` declare jobs and deadlines, which the actor keeps as data.
 *
 * Every turn passes through the queue: `processing.next` takes the first waiting message, or leaves for `connected` or
 * `idle`. One rule starts all turns, whether the message came alone, waited, or interrupted.
 *
 * This file is the chart alone; setup.ts names the files that define its guards, actions and delays.
 */
import { firstContext } from './context.ts';
import { emitCancelled, emitFailed, emitState, endSession, inSession, refuse } from './setup.ts';
import { runningTurn } from './turn.ts';

/** Puts the message at the head of the queue, after it ended the running turn. */
const queueFirst = ['takeId', 'updatePatient', 'enqueueFirst', 'touch'] as const;

/** access.ts has the access that each event needs. */
const forbidden = { guard: 'mayNot', actions: refuse('forbidden') } as const;

/** No turn runs: the first message starts one, and silence ends the session after a warning. */
const startsTurn = [
  forbidden,
  { target: 'processing', actions: ['takeId', 'updatePatient', 'enqueue', 'touch'] },
] as const;
/** No turn runs: a client takes turns back, and its question is answered again. */
const answersAgain = [
  forbidden,
  { guard: 'isRepeated', actions: refuse('duplicate_message') },
  { guard: 'namesNoTurn', actions: refuse('unknown_turn') },
  { guard: 'isOfAnotherAuthor', actions: refuse('forbidden') },
  {
    target: 'processing',
    actions: ['takeId', 'forgetRetracted', 'emitRetracted', 'uncountRetracted', 'enqueueAgain', 'touch'],
  },
] as const;
const waits = inSession.createStateConfig({
  initial: 'fresh',
  states: {
    /** Counts the idle time; the warning has not come. */
    fresh: {
      after: {
        idleWarning: [
          { guard: 'alreadyWarned', target: 'expiring' },
          { target: 'expiring', actions: ['warnIdle', 'markWarned'] },
        ],
      },
    },
    /** The clients are warned; input brings the session back. */
    expiring: { after: { idleEnd: { target: '#session.expired', actions: endSession('idle') } } },
  },
});

export const sessionMachine = inSession.createMachine({
  id: 'session',
  context: ({ input }) => firstContext(input),
  initial: 'connected',
  after: {
    absoluteWarning: { actions: 'warnAbsolute' },
    absoluteEnd: [
      {
        guard: 'turnRunning',
        target: '.expired',
        actions: [emitFailed('session_expired'), 'recordAnswer', 'endTurn', endSession('absolute')],
      },
      { target: '.expired', actions: endSession('absolute') },
    ],
  },
  on: {
    close: [
      forbidden,
      {
        guard: 'turnRunning',
        target: '.expired',
        actions: [emitCancelled('client'), 'recordAnswer', 'endTurn', endSession()],
      },
      { target: '.expired', actions: endSession() },
    ],
    cancel: [forbidden, { actions: refuse('unknown_turn') }],
    share: [
      forbidden,
      { guard: 'sharesAreFull', actions: refuse('too_many_shares') },
      { actions: ['addShare', 'emitShared'] },
    ],
    unshare: [forbidden, { guard: 'knowsShare', actions: ['emitUnshared', 'dropShare'] }],
    fork: [forbidden, { actions: ['emitForked'] }],
    summarised: { actions: 'recordSummary' },
  },
  states: {
    /** A client is here, and no turn runs. */
    connected: {
      entry: emitState('connected'),
      on: {
        attach: [forbidden, { target: '.fresh', actions: ['emitArrival', 'updatePatient', 'join', 'touch'] }],
        detach: [
          { guard: 'isLastToLeave', target: 'idle', actions: ['emitDeparture', 'leave'] },
          { actions: ['emitDeparture', 'leave'] },
        ],
        extend: [forbidden, { target: '.fresh', actions: ['touch', 'emitExtended'] }],
        message: startsTurn,
        regenerate: answersAgain,
      },
      ...waits,
    },

    /** A turn runs. */
    processing: {
      entry: emitState('processing'),
      on: {
        attach: [forbidden, { actions: ['emitArrival', 'updatePatient', 'join', 'touch'] }],
        detach: { actions: ['emitDeparture', 'leave'] },
        extend: [forbidden, { actions: ['touch', 'emitExtended'] }],
        message: [
          forbidden,
          { guard: 'isTakenAlready', actions: refuse('duplicate_message') },
          { guard: 'policyRejects', actions: refuse('session_busy') },
          {
            guard: 'policyInterrupts',
            target: '.next',
            actions: [emitCancelled('interrupt'), 'recordAnswer', 'endTurn', ...queueFirst],
          },
          {
            guard: 'policyRollsBack',
            target: '.next',
            actions: [emitCancelled('rollback'), 'forgetTurn', 'endTurn', 'uncountTurn', ...queueFirst],
          },
          { guard: 'queueIsFull', actions: refuse('queue_full') },
          {
            guard: 'policyMerges',
            actions: ['takeId', 'updatePatient', 'enqueueMerged', 'emitQueued', 'touch'],
          },
          { actions: ['takeId', 'updatePatient', 'enqueue', 'emitQueued', 'touch'] },
        ],
        regenerate: [
          forbidden,
          { guard: 'isTakenAlready', actions: refuse('duplicate_message') },
          { actions: refuse('session_busy') },
        ],
        cancel: [
          forbidden,
          {
            guard: 'namesRunningTurn',
            target: '.next',
            actions: [emitCancelled('client'), 'recordAnswer', 'endTurn', 'touch'],
          },
          { guard: 'namesWaitingTurn', actions: ['emitWithdrawn', 'withdraw', 'touch'] },
          { actions: refuse('unknown_turn') },
        ],
        recover: [
          { guard: 'canResume', actions: 'countResume' },
          { target: '.next', actions: [emitFailed('interrupted'), 'recordAnswer', 'endTurn', 'touch'] },
        ],
      },
      initial: 'next',
      states: {
        /** Takes the first waiting message, or leaves. No session rests here. */
        next: {
          always: [
            {
              guard: 'messageWaiting',
              target: 'generating',
              actions: ['recordQuestion', 'emitStarted', 'takeNext'],
            },
            { guard: 'anyAttached', target: '#session.connected' },
            { target: '#session.idle' },
          ],
        },
        /** A model server answers. */
        generating: {
          invoke: {
            id: 'generation',
            src: 'generation',
            input: ({ context }) => {
              const { id, attempt } = runningTurn(context);
              return { turnId: id, attempt };
            },
            onDone: {
              target: 'next',
              actions: ['emitCompleted', 'recordAnswer', 'assignReplica', 'endTurn', 'touch'],
            },
            onError: [
              {
                guard: 'mustStartOver',
                target: 'generating',
                reenter: true,
                actions: ['emitStartedOver', 'countRestart'],
              },
              { guard: 'canRetry', target: 'recovering', actions: 'countAttempt' },
              { target: 'next', actions: [emitFailed(), 'recordAnswer', 'endTurn', 'touch'] },
            ],
          },
        },
        /** Waits before the next attempt. */
        recovering: { after: { retryDelay: 'generating' } },
      },
    },

    /** No client is here, and no turn runs. */
    idle: {
      entry: emitState('idle'),
      on: {
        attach: [
          forbidden,
          { target: 'connected', actions: ['emitArrival', 'updatePatient', 'join', 'touch'] },
        ],
        detach: { actions: ['emitDeparture', 'leave'] },
        extend: [forbidden, { target: '.fresh', actions: ['touch', 'emitExtended'] }],
        message: startsTurn,
        regenerate: answersAgain,
      },
      ...waits,
    },

    /** The session ended. Nothing follows. */
    expired: { type: 'final', entry: [emitState('expired'), 'emitExpired'] },
  },
});

export type SessionMachine = typeof sessionMachine;
