/** Every guard, action, delay and job that the chart in session.ts may name. */
import { fromPromise, setup } from 'xstate';
import { branchingActions, branchingGuards } from './branching.ts';
import { deadlineActions, deadlineGuards, deadlines } from './deadlines.ts';
import type { RefusalCode, SessionEffect } from './effects.ts';
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
  SessionContext,
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
    /** Declares the types only: the turn runner runs generations, XState never does. */
    generation: fromPromise<GenerationOutput, GenerationInput>(() =>
      Promise.reject(new Error('the turn runner runs generations')),
    ),
  },
  delays: deadlines,
  guards: {
    ...sharingGuards,
    ...presenceGuards,
    ...queueGuards,
    ...turnGuards,
    ...branchingGuards,
    ...deadlineGuards,
  },
  actions: {
    ...lifecycleActions,
    ...sharingActions,
    ...presenceActions,
    ...queueActions,
    ...turnActions,
    ...branchingActions,
    ...deadlineActions,
  },
});

/** Actions with a parameter. */
export const emitState = (value: TopState) => ({ type: 'emitState', params: { value } }) as const;
export const refuse = (code: RefusalCode) => ({ type: 'refuse', params: { code } }) as const;
export const emitFailed = (code?: string) =>
  ({ type: 'emitFailed', params: code === undefined ? {} : { code } }) as const;
export const emitCancelled = (reason: CancelReason) =>
  ({ type: 'emitCancelled', params: { reason } }) as const;
export const endSession = (reason?: EndReason) =>
  ({ type: 'end', params: reason === undefined ? {} : { reason } }) as const;
