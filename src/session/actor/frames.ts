/** buildFrames turns the effects of a step into the frames and records of one commit. It is a pure function. */
import type { FrameBody, SessionEffect } from '../../../machines/effects.ts';
import { errorBody, isErrorCode } from '../../errors.ts';
import type { DurableFrame } from '../../protocol/server-frames.ts';
import type { StoredFrame, TranscriptRecord } from '../../store/contract.ts';
import type { Piece, TurnText } from '../turn/turn-text.ts';

export interface BuiltFrames {
  readonly frames: readonly StoredFrame[];
  readonly transcript: readonly TranscriptRecord[];
  readonly messageIds: readonly string[];
  /** Offset of a `turn.started` among the frames, or null. */
  readonly turnOffset: number | null;
}

/** Where the frames go: after `head`, under the owner's `epoch`, with the version that the commit gives the session. */
export interface LogPlace {
  readonly head: number;
  readonly epoch: number;
  readonly version: number;
}

/** `answer` is the running turn's text, and `piece` the part of it that waits to be stored. */
export function buildFrames(
  effects: readonly SessionEffect[],
  { head, epoch, version }: LogPlace,
  answer: Pick<TurnText, 'turnId' | 'whole' | 'isSimulated'> | null,
  piece: Piece | null,
): BuiltFrames {
  const frames: StoredFrame[] = [];
  const transcript: TranscriptRecord[] = [];
  const messageIds: string[] = [];
  let turnOffset: number | null = null;
  if (piece !== null) frames.push(deltaFrame(head + 1, epoch, piece));
  for (const effect of effects) {
    switch (effect.type) {
      case 'frame': {
        const offset = head + frames.length + 1;
        if (effect.frame.type === 'turn.started') turnOffset = offset;
        frames.push(stored(numbered(effect.frame, { offset, epoch }, version)));
        break;
      }
      case 'taken':
        messageIds.push(effect.messageId);
        break;
      case 'question': {
        const { content, turnId, at, author } = effect;
        transcript.push({ role: 'user', content, turnId, at, ...(author === null ? {} : { author }) });
        break;
      }
      case 'summary':
        transcript.push({ role: 'summary', content: effect.content, turnId: effect.through, at: effect.at });
        break;
      case 'answer': {
        const { turnId, at } = effect;
        if (answer?.turnId !== turnId || answer.whole === '') break;
        const mark = answer.isSimulated ? { simulated: true } : {};
        transcript.push({ role: 'assistant', content: answer.whole, turnId, at, ...mark });
        break;
      }
      case 'forget':
        transcript.push({ forget: effect.turnId });
        break;
      case 'extended':
      case 'refused':
        break;
    }
  }
  return { frames, transcript, messageIds, turnOffset };
}

export function deltaFrame(offset: number, epoch: number, piece: Piece): StoredFrame {
  const { turnId, text, reasoning, simulated, aux } = piece;
  const frame: DurableFrame = {
    type: 'delta',
    offset,
    epoch,
    turn_id: turnId,
    text,
    ...(reasoning === '' ? {} : { reasoning }),
    ...(simulated === true ? { simulated: true } : {}),
  };
  return aux === undefined ? stored(frame) : { ...stored(frame), aux };
}

function stored(frame: DurableFrame): StoredFrame {
  const { type, offset, epoch } = frame;
  return { offset, type, epoch, data: JSON.stringify(frame) };
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
  // tsc refuses here a body that no durable frame has; the union is too wide for it to check the rest.
  const known: DurableFrame['type'] = type;
  return { type: known, ...place, ...rest } as DurableFrame;
}
