/** Turns what a step asks for into what one commit writes. Pure: offsets and texts come from the caller. */
import type { FrameBody, SessionEffect } from '../../../machines/vocabulary.ts';
import { errorBody, isErrorCode } from '../../errors.ts';
import type { DurableFrame } from '../../protocol/server-frames.ts';
import type { StoredFrame, TranscriptRecord } from '../../store/contract.ts';
import type { PendingText, TurnText } from '../turn/turn-text.ts';

export interface BuiltFrames {
  readonly frames: readonly StoredFrame[];
  readonly transcript: readonly TranscriptRecord[];
  readonly messageIds: readonly string[];
  /** Offset of a `turn.started` among the frames, else null. */
  readonly turnOffset: number | null;
}

export function deltaFrame(offset: number, epoch: number, turnId: string, piece: PendingText): StoredFrame {
  const frame: DurableFrame = {
    type: 'delta',
    offset,
    epoch,
    turn_id: turnId,
    text: piece.text,
    ...(piece.reasoning === '' ? {} : { reasoning: piece.reasoning }),
    ...(piece.simulated === true ? { simulated: true } : {}),
  };
  return { offset, data: JSON.stringify(frame), ...(piece.aux === undefined ? {} : { aux: piece.aux }) };
}

export function buildFrames(
  effects: readonly SessionEffect[],
  head: number,
  epoch: number,
  version: number,
  turn: TurnText | null,
  piece: PendingText | null,
): BuiltFrames {
  const frames: StoredFrame[] = [];
  const transcript: TranscriptRecord[] = [];
  const messageIds: string[] = [];
  let turnOffset: number | null = null;
  if (turn !== null && piece !== null) frames.push(deltaFrame(head + 1, epoch, turn.turnId, piece));
  for (const effect of effects) {
    switch (effect.type) {
      case 'frame': {
        const offset = head + frames.length + 1;
        if (effect.frame.type === 'turn.started') turnOffset = offset;
        frames.push({ offset, data: JSON.stringify(numbered(effect.frame, { offset, epoch }, version)) });
        break;
      }
      case 'taken':
        messageIds.push(effect.messageId);
        break;
      case 'question':
        transcript.push({
          role: 'user',
          content: effect.content,
          turnId: effect.turnId,
          at: effect.at,
          ...(effect.author === null ? {} : { author: effect.author }),
        });
        break;
      case 'summary':
        transcript.push({ role: 'summary', content: effect.content, turnId: effect.through, at: effect.at });
        break;
      case 'answer':
        if (turn !== null && turn.turnId === effect.turnId && turn.whole !== '')
          transcript.push({
            role: 'assistant',
            content: turn.whole,
            turnId: effect.turnId,
            at: effect.at,
            ...(turn.isSimulated ? { simulated: true } : {}),
          });
        break;
      case 'forget':
        transcript.push({ forget: effect.turnId });
        break;
      case 'refused':
        break;
    }
  }
  return { frames, transcript, messageIds, turnOffset };
}

function numbered(
  body: FrameBody,
  place: { readonly offset: number; readonly epoch: number },
  version: number,
): DurableFrame {
  if (body.type === 'state') return { type: 'state', ...place, value: body.value, version };
  if (body.type === 'turn.failed') {
    const { type, code, ...named } = body;
    return { type, ...place, ...named, error: errorBody(isErrorCode(code) ? code : 'internal') };
  }
  const { type, ...rest } = body;
  return { type, ...place, ...rest } as DurableFrame;
}
