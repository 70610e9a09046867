/** Reads the frames of one turn out of a session's log. */
import type { DurableFrame } from '../../protocol/server-frames.ts';
import type { Store, StoredFrame } from '../../store/contract.ts';
import { isTurnFrame, type TurnFrame } from './own-turn.ts';

const PAGE = 500;

export interface LoggedTurn {
  /** In the order of the log, from the last `turn.started` or `message.queued` that stands before all others. */
  readonly frames: readonly TurnFrame[];
  /** A client took the turn back: it is no longer part of the conversation. */
  readonly isRetracted: boolean;
  /** The log was read up to this offset. */
  readonly head: number;
  /** Epoch of the frame at `head`; null if there is none. */
  readonly epoch: number | null;
}

/** Null if there is no log. `messageId` also finds the turn that took the message together with others. */
export async function readTurnLog(
  store: Store,
  sessionId: string,
  turnId: string,
  messageId: string | null,
): Promise<LoggedTurn | null> {
  const queued: Extract<TurnFrame, { type: 'message.queued' }>[] = [];
  const frames: TurnFrame[] = [];
  let ownId = turnId;
  let epoch: number | null = null;
  let isRetracted = false;
  for (let after = 0; ; ) {
    const page = await store.readLog(sessionId, after, PAGE);
    if (page === null) return null;
    for (const stored of page.frames) {
      epoch = stored.epoch;
      if (stored.type === 'turn.retracted') isRetracted ||= retractedIn(stored) === ownId;
      const frame = isTurnFrame(stored) ? parsed(stored) : null;
      if (frame?.type === 'message.queued') queued.push(frame);
      else if (frame?.type === 'turn.started' && isOwn(frame, ownId, messageId)) {
        ownId = frame.turn_id;
        frames.push(frame);
      } else if (frame !== null && 'turn_id' in frame && frame.turn_id === ownId) frames.push(frame);
    }
    const head = page.frames.at(-1)?.offset ?? page.head;
    if (head >= page.head)
      return { frames: [...announced(queued, frames, messageId), ...frames], isRetracted, head, epoch };
    after = head;
  }
}

function parsed(stored: StoredFrame): TurnFrame | null {
  const frame = JSON.parse(stored.data) as DurableFrame;
  return isTurnFrame(frame) ? frame : null;
}

function retractedIn(stored: StoredFrame): string | null {
  const frame = JSON.parse(stored.data) as DurableFrame;
  return frame.type === 'turn.retracted' ? frame.turn_id : null;
}

function isOwn(
  frame: Extract<TurnFrame, { type: 'turn.started' }>,
  turnId: string,
  messageId: string | null,
): boolean {
  if (frame.turn_id === turnId) return true;
  return messageId !== null && [frame.message_id, ...(frame.message_ids ?? [])].includes(messageId);
}

/** Only the message ids of a turn tell which `message.queued` are its own. */
function announced(
  queued: readonly Extract<TurnFrame, { type: 'message.queued' }>[],
  frames: readonly TurnFrame[],
  messageId: string | null,
): readonly TurnFrame[] {
  const ids = new Set(messageId === null ? [] : [messageId]);
  for (const frame of frames) {
    if ('message_id' in frame) ids.add(frame.message_id);
    if (frame.type === 'turn.started') for (const id of frame.message_ids ?? []) ids.add(id);
  }
  return queued.filter(({ message_id }) => ids.has(message_id));
}
