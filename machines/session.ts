/**
 * The session statechart: the whole behaviour of one conversation, readable, drawable and testable.
 *
 * It is never run by XState. The stepper computes one transition at a time, the result is stored, and only then are
 * its effects carried out; `invoke` and `after` declare jobs and deadlines that the actor keeps as data.
 *
 * Every turn passes through the queue: `processing.next` takes the first waiting message or leaves for
 * `connected` or `idle`. So one rule starts turns, whether the message came alone, waited, or interrupted.
 *
 * This file is the chart alone; setup.ts says where each of its names is explained.
 */
import { firstContext } from './context.ts';
import { end, inSession, refuse, sayCancelled, sayFailed, sayState } from './setup.ts';
import { runningTurn } from './turn.ts';

/** The message takes the place of the turn that it ended. */
const goesFirst = ['takeId', 'learn', 'enqueueFirst', 'touch'] as const;

/** Nothing runs: the first message starts a turn, and silence ends the session, once it was warned. */
const startsTurn = [
  { guard: 'mayNotWrite', actions: refuse('forbidden') },
  { target: 'processing', actions: ['takeId', 'learn', 'enqueue', 'touch'] },
] as const;
const waits = inSession.createStateConfig({
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
    expiring: { after: { idleEnd: { target: '#session.expired', actions: end('idle') } } },
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
        actions: [sayFailed('session_expired'), 'recordAnswer', 'endTurn', end('absolute')],
      },
      { target: '.expired', actions: end('absolute') },
    ],
  },
  on: {
    close: [
      {
        guard: 'turnRunning',
        target: '.expired',
        actions: [sayCancelled('client'), 'recordAnswer', 'endTurn', end()],
      },
      { target: '.expired', actions: end() },
    ],
    cancel: { actions: refuse('unknown_turn') },
    share: [
      { guard: 'sharesAreFull', actions: refuse('too_many_shares') },
      { actions: ['addShare', 'sayShared'] },
    ],
    unshare: { guard: 'knowsShare', actions: ['sayUnshared', 'dropShare'] },
    summarised: { actions: 'recordSummary' },
  },
  states: {
    connected: {
      entry: sayState('connected'),
      on: {
        attach: [
          { guard: 'mayNotEnter', actions: refuse('forbidden') },
          { target: '.fresh', actions: ['sayArrival', 'learn', 'join', 'touch'] },
        ],
        detach: [
          { guard: 'isLastToLeave', target: 'idle', actions: ['sayDeparture', 'leave'] },
          { actions: ['sayDeparture', 'leave'] },
        ],
        extend: { target: '.fresh', actions: 'touch' },
        message: startsTurn,
      },
      ...waits,
    },

    processing: {
      entry: sayState('processing'),
      on: {
        attach: [
          { guard: 'mayNotEnter', actions: refuse('forbidden') },
          { actions: ['sayArrival', 'learn', 'join', 'touch'] },
        ],
        detach: { actions: ['sayDeparture', 'leave'] },
        extend: { actions: 'touch' },
        message: [
          { guard: 'mayNotWrite', actions: refuse('forbidden') },
          { guard: 'isTakenAlready', actions: refuse('duplicate_message') },
          { guard: 'policyRejects', actions: refuse('session_busy') },
          {
            guard: 'policyInterrupts',
            target: '.next',
            actions: [sayCancelled('interrupt'), 'recordAnswer', 'endTurn', ...goesFirst],
          },
          {
            guard: 'policyRollsBack',
            target: '.next',
            actions: [sayCancelled('rollback'), 'forgetTurn', 'endTurn', 'uncountTurn', ...goesFirst],
          },
          { guard: 'queueIsFull', actions: refuse('queue_full') },
          { guard: 'policyMerges', actions: ['takeId', 'learn', 'enqueueMerged', 'sayQueued', 'touch'] },
          { actions: ['takeId', 'learn', 'enqueue', 'sayQueued', 'touch'] },
        ],
        cancel: [
          {
            guard: 'namesRunningTurn',
            target: '.next',
            actions: [sayCancelled('client'), 'recordAnswer', 'endTurn', 'touch'],
          },
          { actions: refuse('unknown_turn') },
        ],
        recover: [
          { guard: 'canResume', actions: 'countResume' },
          { target: '.next', actions: [sayFailed('interrupted'), 'recordAnswer', 'endTurn', 'touch'] },
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
            input: ({ context }) => {
              const { id, attempt } = runningTurn(context);
              return { turnId: id, attempt };
            },
            onDone: {
              target: 'next',
              actions: ['sayCompleted', 'recordAnswer', 'rememberReplica', 'endTurn', 'touch'],
            },
            onError: [
              {
                guard: 'mustStartOver',
                target: 'generating',
                reenter: true,
                actions: ['sayStartedOver', 'countRestart'],
              },
              { guard: 'canRetry', target: 'recovering', actions: 'countAttempt' },
              { target: 'next', actions: [sayFailed(), 'recordAnswer', 'endTurn', 'touch'] },
            ],
          },
        },
        recovering: { after: { retryDelay: 'generating' } },
      },
    },

    idle: {
      entry: sayState('idle'),
      on: {
        attach: [
          { guard: 'mayNotEnter', actions: refuse('forbidden') },
          { target: 'connected', actions: ['sayArrival', 'learn', 'join', 'touch'] },
        ],
        detach: { actions: ['sayDeparture', 'leave'] },
        extend: { target: '.fresh', actions: 'touch' },
        message: startsTurn,
      },
      ...waits,
    },

    expired: { type: 'final', entry: [sayState('expired'), 'sayExpired'] },
  },
});

export { absoluteEndsAt, idleEndsAt } from './deadlines.ts';
export type SessionMachine = typeof sessionMachine;
