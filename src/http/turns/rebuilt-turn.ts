/** rebuildTurn makes the frames of a turn from its question and answer, once the log no longer has them. */
import type { ArchivedTurn } from '../../archive/archive.ts';
import { errorBody } from '../../errors.ts';
import type { TurnFrame } from './own-turn.ts';

/** A question of a conversation and its answer. */
export interface ConversationTurn {
  readonly turnId: string;
  readonly question: { readonly content: string; readonly at: number; readonly author: string | null };
  /** Null: none yet, or the turn ended without any text. */
  readonly answer: { readonly content: string; readonly at: number; readonly isSimulated: boolean } | null;
}

/** Rebuilt frames have no place in the log. */
const REBUILT_PLACE = { offset: 0, epoch: 0 } as const;

/** Neither transcript nor archive keeps the reason for which the model stopped. */
const UNKNOWN_REASON = 'unknown';

/** `end` is the turn's last frame if the log still has it. `archived` tells how a turn of an ended session ended. */
export function rebuildTurn(
  turn: ConversationTurn,
  messageId: string,
  end: TurnFrame | null,
  archived: ArchivedTurn | null,
): readonly TurnFrame[] {
  const { turnId, question, answer } = turn;
  const place = end === null ? REBUILT_PLACE : { offset: end.offset, epoch: end.epoch };
  const named = { turn_id: turnId, message_id: messageId };
  const { content, author } = question;
  const mark = answer?.isSimulated === true ? { simulated: true } : {};
  const started: TurnFrame = {
    type: 'turn.started',
    ...place,
    ...named,
    queued: 0,
    content,
    ...(author === null ? {} : { author }),
  };
  const text = answer?.content ?? '';
  const delta: TurnFrame = { type: 'delta', ...place, turn_id: turnId, text, ...mark };
  return [started, ...(text === '' ? [] : [delta]), end ?? endOf(turn, named, archived)];
}

function endOf(
  { answer }: ConversationTurn,
  named: { readonly turn_id: string; readonly message_id: string },
  archived: ArchivedTurn | null,
): TurnFrame {
  const outcome = archived?.outcome ?? (answer === null ? 'failed' : 'completed');
  const head = { ...REBUILT_PLACE, ...named };
  if (outcome === 'cancelled') return { type: 'turn.cancelled', ...head, reason: 'client' };
  if (outcome === 'failed') return { type: 'turn.failed', ...head, error: errorBody('interrupted') };
  return {
    type: 'turn.completed',
    ...head,
    finish_reason: UNKNOWN_REASON,
    usage: {
      prompt_tokens: archived?.promptTokens ?? 0,
      completion_tokens: archived?.completionTokens ?? 0,
    },
    metadata: {
      inference_time_ms: archived?.totalMs ?? 0,
      time_to_first_token_ms: archived?.firstTokenMs ?? null,
      model: '',
      temperature: 0,
      max_tokens: 0,
      conversation_count: 0,
      replica: '',
      resumed: 0,
      simulated: answer?.isSimulated ?? false,
      ...(answer === null ? {} : { completed_at: answer.at }),
    },
  };
}
