/**
 * The assembler turns frames into the conversation that a client shows. It is pure: the same frames give the same
 * conversation, however often the connection broke in between.
 *
 *  VIEW-1  It takes only the next frame of the log: it drops a frame seen before, and reports a later one as a gap.
 *  VIEW-2  A turn's text is the concatenation of its deltas since its last `turn.started`: an answer can start over.
 */
import type { CancelReason, DurableFrame, TopState, TransientFrame } from './wire.ts';

export type ResetFrame = Extract<TransientFrame, { type: 'reset' }>;

export type TurnOutcome =
  | { readonly kind: 'running' }
  | { readonly kind: 'completed'; readonly finishReason: string }
  | { readonly kind: 'failed'; readonly code: string; readonly retryable: boolean }
  | { readonly kind: 'cancelled'; readonly reason: CancelReason }
  /** A turn of a transcript, which does not say how the turn ended. */
  | { readonly kind: 'past' };

export interface TurnView {
  readonly turnId: string;
  /** Null if the client did not see the turn's start. */
  readonly messageId: string | null;
  readonly question: string | null;
  readonly text: string;
  readonly reasoning: string;
  /** The answer came from the simulator. */
  readonly simulated: boolean;
  readonly outcome: TurnOutcome;
}

export interface ClientConversation {
  /** The last offset seen. */
  readonly offset: number;
  /** Null until the server sends it. */
  readonly state: TopState | null;
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
  return { kind: 'advanced', conversation: { ...advanced(conversation, frame), offset: frame.offset } };
}

/** The conversation after a `reset`: its transcript replaces what the client had. */
export function startOver(frame: ResetFrame): ClientConversation {
  const turns = new Map<string, TurnView>();
  for (const { role, content, turn_id, simulated = false } of frame.transcript) {
    const turn = turns.get(turn_id) ?? { ...newTurn(turn_id), outcome: { kind: 'past' } as const };
    turns.set(
      turn_id,
      role === 'user' ? { ...turn, question: content } : { ...turn, text: content, simulated },
    );
  }
  return { offset: frame.offset, state: frame.state, turns: [...turns.values()] };
}

function advanced(conversation: ClientConversation, frame: DurableFrame): ClientConversation {
  switch (frame.type) {
    case 'state':
      return { ...conversation, state: frame.value };
    case 'turn.started':
      return withTurn(conversation, frame.turn_id, (turn) => ({
        ...turn,
        messageId: frame.message_id,
        question: turn.question ?? frame.content,
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
      return withOutcome(conversation, frame, { kind: 'completed', finishReason: frame.finish_reason });
    case 'turn.failed': {
      const { code, retryable } = frame.error;
      return withOutcome(conversation, frame, { kind: 'failed', code, retryable });
    }
    case 'turn.cancelled':
      return withOutcome(conversation, frame, { kind: 'cancelled', reason: frame.reason });
    case 'turn.retracted':
      return {
        ...conversation,
        turns: conversation.turns.filter(({ turnId }) => turnId !== frame.turn_id),
      };
    default:
      // Other frames, also those of a later protocol version, move only the offset.
      return conversation;
  }
}

function withOutcome(
  conversation: ClientConversation,
  frame: { readonly turn_id: string; readonly message_id: string },
  outcome: TurnOutcome,
): ClientConversation {
  const messageId = frame.message_id;
  return withTurn(conversation, frame.turn_id, (turn) => ({ ...turn, messageId, outcome }));
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
  if (turn === undefined) return { ...conversation, turns: [...turns, change(newTurn(turnId))] };
  return { ...conversation, turns: turns.with(index, change(turn)) };
}

function newTurn(turnId: string): TurnView {
  const outcome = { kind: 'running' } as const;
  return { turnId, messageId: null, question: null, text: '', reasoning: '', simulated: false, outcome };
}
