/**
 * Frames → the conversation as a client sees it. Pure: the same frames give the same conversation, however often the
 * connection broke in between.
 *
 *  P1  A frame is taken if it is the next one of the log; one that was seen is dropped, one further on is a gap.
 *  P2  A turn's text is the concatenation of its deltas since its last `turn.started`: an answer can start over.
 */
import type { DurableFrame, StateValue, TransientFrame } from '../protocol/server-frames.ts';

export type ResetFrame = Extract<TransientFrame, { type: 'reset' }>;

export type TurnOutcome =
  | { readonly kind: 'running' }
  | { readonly kind: 'completed'; readonly finishReason: string }
  | { readonly kind: 'failed'; readonly code: string; readonly retryable: boolean }
  | { readonly kind: 'cancelled'; readonly reason: 'client' | 'interrupt' | 'rollback' }
  /** Known from a transcript only, which does not say how a turn ended. */
  | { readonly kind: 'past' };

export interface TurnView {
  readonly turnId: string;
  /** Null where the turn's start was not seen. */
  readonly messageId: string | null;
  /** Known from a transcript only: the log does not repeat what clients sent. */
  readonly question: string | null;
  readonly text: string;
  readonly reasoning: string;
  /** The simulator said it. */
  readonly simulated: boolean;
  readonly outcome: TurnOutcome;
}

export interface ClientConversation {
  /** The last offset seen. */
  readonly offset: number;
  /** Null until the server said it. */
  readonly state: StateValue | null;
  readonly turns: readonly TurnView[];
}

export type Assembled =
  | { readonly kind: 'advanced'; readonly conversation: ClientConversation }
  | { readonly kind: 'repeated' }
  | { readonly kind: 'gap'; readonly expected: number };

export function emptyConversation(offset = 0): ClientConversation {
  return { offset, state: null, turns: [] };
}

export function assemble(conversation: ClientConversation, frame: DurableFrame): Assembled {
  const expected = conversation.offset + 1;
  if (frame.offset < expected) return { kind: 'repeated' };
  if (frame.offset > expected) return { kind: 'gap', expected };
  return { kind: 'advanced', conversation: { ...taken(conversation, frame), offset: frame.offset } };
}

/** What a `reset` leaves: the transcript, and nothing of what was known before. */
export function startOver(frame: ResetFrame): ClientConversation {
  const turns = new Map<string, TurnView>();
  for (const { role, content, turn_id, simulated = false } of frame.transcript) {
    const turn = turns.get(turn_id) ?? { ...unseen(turn_id), outcome: { kind: 'past' } as const };
    turns.set(
      turn_id,
      role === 'user' ? { ...turn, question: content } : { ...turn, text: content, simulated },
    );
  }
  return { offset: frame.offset, state: frame.state, turns: [...turns.values()] };
}

function taken(conversation: ClientConversation, frame: DurableFrame): ClientConversation {
  switch (frame.type) {
    case 'state':
      return { ...conversation, state: frame.value };
    case 'turn.started':
      // After a reset the transcript has this turn's question already; its text is told from the beginning.
      return withTurn(conversation, frame.turn_id, (turn) => ({
        ...turn,
        messageId: frame.message_id,
        text: '',
        reasoning: '',
        outcome: { kind: 'running' },
      }));
    case 'delta':
      return withTurn(conversation, frame.turn_id, (turn) => ({
        ...turn,
        text: turn.text + frame.text,
        reasoning: turn.reasoning + (frame.reasoning ?? ''),
        simulated: turn.simulated || frame.simulated === true,
        outcome: { kind: 'running' },
      }));
    case 'turn.completed':
      return ended(conversation, frame, { kind: 'completed', finishReason: frame.finish_reason });
    case 'turn.failed': {
      const { code, retryable } = frame.error;
      return ended(conversation, frame, { kind: 'failed', code, retryable });
    }
    case 'turn.cancelled':
      return ended(conversation, frame, { kind: 'cancelled', reason: frame.reason });
    default:
      // What has no place in the picture, now or in a later version of the protocol, still moves the offset.
      return conversation;
  }
}

function ended(
  conversation: ClientConversation,
  frame: { readonly turn_id: string; readonly message_id: string },
  outcome: TurnOutcome,
): ClientConversation {
  return withTurn(conversation, frame.turn_id, (turn) => ({
    ...turn,
    messageId: frame.message_id,
    outcome,
  }));
}

function withTurn(
  conversation: ClientConversation,
  turnId: string,
  change: (turn: TurnView) => TurnView,
): ClientConversation {
  const { turns } = conversation;
  // The turn that changes is nearly always the last one.
  const index = turns.findLastIndex((turn) => turn.turnId === turnId);
  const turn = turns[index];
  if (turn === undefined) return { ...conversation, turns: [...turns, change(unseen(turnId))] };
  return { ...conversation, turns: turns.with(index, change(turn)) };
}

function unseen(turnId: string): TurnView {
  return {
    turnId,
    messageId: null,
    question: null,
    text: '',
    reasoning: '',
    simulated: false,
    outcome: { kind: 'running' },
  };
}
