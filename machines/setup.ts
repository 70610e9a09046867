/**
 * What the chart in session.ts is written with: every guard, action, delay and job that it may name, and the few
 * actions that take a parameter as words of their own.
 */
import { fromPromise, setup } from 'xstate';
import { deadlineActions, deadlineGuards, deadlines } from './deadlines.ts';
import { lifecycleActions } from './lifecycle.ts';
import { presenceActions, presenceGuards } from './presence.ts';
import { queueActions, queueGuards } from './queue.ts';
import { sharingActions, sharingGuards } from './sharing.ts';
import { turnActions, turnGuards } from './turn.ts';
import type {
  CancelReason,
  EndReason,
  GenerationInput,
  GenerationOutput,
  RefusalCode,
  SessionContext,
  SessionEffect,
  SessionEvent,
  SessionInput,
  TopState,
} from './vocabulary.ts';

export const inSession = setup({
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
  delays: deadlines,
  guards: { ...sharingGuards, ...presenceGuards, ...queueGuards, ...turnGuards, ...deadlineGuards },
  actions: {
    ...lifecycleActions,
    ...sharingActions,
    ...presenceActions,
    ...queueActions,
    ...turnActions,
    ...deadlineActions,
  },
});

/** Actions that say more than their name. */
export const emitState = (value: TopState) => ({ type: 'emitState', params: { value } }) as const;
export const refuse = (code: RefusalCode) => ({ type: 'refuse', params: { code } }) as const;
export const emitFailed = (code?: string) =>
  ({ type: 'emitFailed', params: code === undefined ? {} : { code } }) as const;
export const emitCancelled = (reason: CancelReason) =>
  ({ type: 'emitCancelled', params: { reason } }) as const;
export const endSession = (reason?: EndReason) =>
  ({ type: 'end', params: reason === undefined ? {} : { reason } }) as const;
