/**
 * OwnTurn picks the frames of one turn out of a session's frames, and joins its text.
 *
 *  OWNTURN-1  Frames of other turns never pass.
 *  OWNTURN-2  Each frame passes once, in the order of the log, however often the log is read again.
 *  OWNTURN-3  No part of an answer passes before its `turn.started`: without it the text would have a gap.
 *  OWNTURN-4  A second `turn.started` says `restarts`: the reader must drop the text that it has.
 */
import type { DurableFrame, ServerFrame } from '../../protocol/server-frames.ts';
import type { TurnResult } from './turn-collector.ts';

const TURN_FRAMES = [
  'message.queued',
  'turn.started',
  'delta',
  'turn.completed',
  'turn.failed',
  'turn.cancelled',
] as const;

/** A frame about one turn. */
export type TurnFrame = Extract<DurableFrame, { readonly type: (typeof TURN_FRAMES)[number] }>;

export type TurnEnd = Exclude<TurnResult, { readonly kind: 'refused' }>;

const NAMES: ReadonlySet<string> = new Set(TURN_FRAMES);

export function isTurnFrame(frame: { readonly type: string }): frame is TurnFrame {
  return NAMES.has(frame.type);
}

export class OwnTurn {
  #turnId: string;
  #messageId: string | null;
  #last = 0;
  #hasBegun = false;
  #isQueued = false;
  #text = '';

  /** With the message's id it also finds a turn that merged the message with others. */
  constructor(turnId: string, messageId: string | null) {
    this.#turnId = turnId;
    this.#messageId = messageId;
  }

  /** Lets `message.queued` pass, which names no turn. */
  nameMessage(messageId: string): void {
    this.#messageId ??= messageId;
  }

  /** A merged message has the turn of the message before it. */
  get turnId(): string {
    return this.#turnId;
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  get isQueued(): boolean {
    return this.#isQueued;
  }

  get text(): string {
    return this.#text;
  }

  /** The frame as the reader gets it; null if it is no frame of this turn, or the reader has it. */
  take(frame: ServerFrame): TurnFrame | null {
    if (frame.type === 'reset') this.#last = frame.offset;
    if (!isTurnFrame(frame) || frame.offset <= this.#last) return null;
    const own = this.#ownPart(frame);
    if (own !== null) this.#last = own.offset;
    return own;
  }

  /** Takes the frames of a turn that the log no longer has; `hasText`: the reader has an unknown part of its text. */
  takeRebuilt(frames: readonly TurnFrame[], hasText: boolean): readonly TurnFrame[] {
    this.#hasBegun ||= hasText;
    return frames.flatMap((frame) => this.#ownPart(frame) ?? []);
  }

  /** How the turn ended, if `frame` ends it. */
  endIn(frame: TurnFrame): TurnEnd | null {
    switch (frame.type) {
      case 'turn.completed':
        return { kind: 'completed', text: this.#text, frame };
      case 'turn.failed':
        return { kind: 'failed', frame };
      case 'turn.cancelled':
        return { kind: 'cancelled', frame };
      default:
        return null;
    }
  }

  #ownPart(frame: TurnFrame): TurnFrame | null {
    switch (frame.type) {
      case 'message.queued':
        if (frame.message_id !== this.#messageId || this.#hasBegun) return null;
        this.#isQueued = true;
        return frame;
      case 'turn.started':
        return this.#started(frame);
      case 'delta':
        if (frame.turn_id !== this.#turnId || !this.#hasBegun) return null;
        this.#text += frame.text;
        return frame;
      default:
        // A message that is cancelled in the queue never starts.
        if (frame.turn_id !== this.#turnId) return null;
        return this.#hasBegun || this.#isQueued ? frame : null;
    }
  }

  #started(frame: Extract<TurnFrame, { type: 'turn.started' }>): TurnFrame | null {
    const messageIds = [frame.message_id, ...(frame.message_ids ?? [])];
    const isMerged = this.#messageId !== null && messageIds.includes(this.#messageId);
    if (frame.turn_id !== this.#turnId && !isMerged) return null;
    const isAgain = this.#hasBegun && frame.restarts === undefined;
    this.#turnId = frame.turn_id;
    this.#hasBegun = true;
    this.#text = '';
    return isAgain ? { ...frame, restarts: 1 } : frame; // OWNTURN-4
  }
}
