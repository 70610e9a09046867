/** The session as a chart of XState alone, for the contender that follows the documentation. */
import { assign, setup } from 'xstate';

interface Message {
  readonly role: 'user' | 'assistant';
  readonly content: string;
}

interface Context {
  readonly sessionId: string;
  readonly createdAt: number;
  readonly lastActivityAt: number;
  readonly turnId: string | null;
  readonly messages: readonly Message[];
}

type Event =
  | { readonly type: 'extend'; readonly at: number }
  | { readonly type: 'message'; readonly at: number; readonly turnId: string; readonly content: string }
  | { readonly type: 'completed'; readonly at: number; readonly text: string }
  | { readonly type: 'close' };

export const IDLE_MS = 3_600_000;

const session = setup({
  types: { context: {} as Context, events: {} as Event, input: {} as { sessionId: string; at: number } },
  actions: {
    touch: assign({
      lastActivityAt: ({ event, context }) => ('at' in event ? event.at : context.lastActivityAt),
    }),
    ask: assign(({ context, event }) =>
      event.type === 'message'
        ? {
            turnId: event.turnId,
            messages: [...context.messages, { role: 'user' as const, content: event.content }],
          }
        : {},
    ),
    answer: assign(({ context, event }) =>
      event.type === 'completed'
        ? {
            turnId: null,
            messages: [...context.messages, { role: 'assistant' as const, content: event.text }],
          }
        : {},
    ),
  },
  delays: { warning: IDLE_MS - 60_000, idle: IDLE_MS },
});

export const documentedMachine = session.createMachine({
  id: 'session',
  context: ({ input: { sessionId, at } }) => ({
    sessionId,
    createdAt: at,
    lastActivityAt: at,
    turnId: null,
    messages: [],
  }),
  initial: 'connected',
  on: { close: '.expired' },
  states: {
    connected: {
      on: {
        extend: { target: 'connected', reenter: true, actions: 'touch' },
        message: { target: 'processing', actions: ['touch', 'ask'] },
      },
      after: { warning: 'idle' },
    },
    processing: {
      on: { extend: { actions: 'touch' }, completed: { target: 'connected', actions: ['touch', 'answer'] } },
    },
    idle: {
      on: {
        extend: { target: 'connected', actions: 'touch' },
        message: { target: 'processing', actions: ['touch', 'ask'] },
      },
      after: { idle: 'expired' },
    },
    expired: { type: 'final' },
  },
});
